"""Mails with a link that sets a new password: how many there may be, and sending them."""

from __future__ import annotations

import unicodedata

from django.contrib.auth.forms import PasswordResetForm
from django.core.cache import cache
from django.utils import translation
from django.utils.crypto import salted_hmac

RESETS_MOST = 5
"""Mails to one address within `WINDOW_SECONDS`."""
CLIENT_RESETS_MOST = 20
"""What one client may ask for: behind one address there may be an office."""
WINDOW_SECONDS = 3600


def may_reset(address: str, client: str) -> bool:
    """Count that `client` (an IP address) wants a mail sent to `address`; whether that is not too much.

    Known and unknown addresses are counted alike. Raises what the cache raises where it can't be reached.
    """
    if _count("client", client) > CLIENT_RESETS_MOST:
        return False
    return _count("address", unicodedata.normalize("NFKC", address).casefold()) <= RESETS_MOST


def mail_reset(address: str, host: str, secure: bool, language: str) -> None:
    """Mail a link to whoever has an active account with `address`; it leads to `host`, by https if `secure`."""
    form = PasswordResetForm({"email": address})
    with translation.override(language):
        if form.is_valid():
            form.save(domain_override=host, use_https=secure)


def _count(kind: str, value: str) -> int:
    # Hashed: an address is nothing to be kept in a cache, and can be longer than a key.
    key = f"reset-{kind}-{salted_hmac('videos.mailing', value).hexdigest()}"
    cache.add(key, 0, WINDOW_SECONDS)
    try:
        return int(cache.incr(key))
    except ValueError:
        # It ended just now.
        cache.set(key, 1, WINDOW_SECONDS)
        return 1
