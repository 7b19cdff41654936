"""The absolute URLs that we give out, and the judging of those that we are given."""

from __future__ import annotations

import ipaddress
import re
import socket
from urllib.parse import urlsplit

from django.conf import settings
from django.core import signing
from django.urls import reverse

from .luma import schema

FRAME_LINK_SECONDS = 24 * 3600
"""How long the provider may fetch a frame by the link that we sent."""

_SALT = "videos.frame-link"
_LABEL = re.compile(r"[a-z0-9_-]{1,63}")
_NUMBER = re.compile(r"\d+|0x[0-9a-f]*")


def callback_url(token: str) -> str:
    """Where the provider is to report, or "" where this site can't be reached (`PUBLIC_BASE_URL` unset)."""
    if not settings.PUBLIC_BASE_URL:
        return ""
    return settings.PUBLIC_BASE_URL + reverse("callback", args=[token])


def signed_file_url(name: str) -> str:
    """A link to the stored file `name` for who has no session; it ends after `FRAME_LINK_SECONDS`."""
    signature = signing.TimestampSigner(salt=_SALT).sign(name).removeprefix(name)[1:]
    return f"{settings.PUBLIC_BASE_URL}{reverse('file', args=[name])}?signature={signature}"


def signature_fits(name: str, signature: str) -> bool:
    """Whether `signature` is ours, for `name`, and not too old."""
    try:
        signing.TimestampSigner(salt=_SALT).unsign(f"{name}:{signature}", max_age=FRAME_LINK_SECONDS)
    except (signing.BadSignature, ValueError, UnicodeError):
        return False
    return True


def port_of(url: str) -> int:
    """The port that `url` (already parsed by `schema.url`) means."""
    parts = urlsplit(url)
    return parts.port or (443 if parts.scheme == "https" else 80)


def listed(url: str) -> bool:
    """Whether the host of `url` stands in `LUMA_RESULT_HOSTS`, and it is https; or host:port does."""
    parts = urlsplit(url)
    host = (parts.hostname or "").rstrip(".").lower()
    if listed_with_port(url):
        return True
    if parts.scheme != "https" or port_of(url) != 443:
        return False
    return any(
        host == entry or (entry.startswith("*.") and host.endswith(entry[1:])) for entry in settings.LUMA_RESULT_HOSTS
    )


def listed_with_port(url: str) -> bool:
    """Whether the operator lists this very host:port: then it may be private, and plain http."""
    host = (urlsplit(url).hostname or "").lower()
    return f"{f'[{host}]' if ':' in host else host}:{port_of(url)}" in settings.LUMA_RESULT_HOSTS


def acceptable(url: str) -> bool:
    """Whether a user may give `url` for the provider to fetch. Judged by its text; nothing is looked up.

    It must be http(s), without credentials, and with a public host; or a listed result host.
    """
    if not schema.url(url):
        return False
    return listed(url) or _public_name((urlsplit(url).hostname or "").rstrip(".").lower())


def _public_name(host: str) -> bool:
    if ":" in host:
        return public_address(host)
    try:
        # What is a digit or a dot in any script is one to a resolver too.
        host = host.encode("idna").decode("ascii").lower().rstrip(".")
    except UnicodeError:
        return False
    try:
        # inet_aton reads what browsers and C libraries read as an address: 127.1, 0x7f000001, 2130706433.
        return public_address(socket.inet_ntoa(socket.inet_aton(host)))
    except OSError:
        pass
    labels = host.split(".")
    if len(labels) < 2 or len(host) > 253 or not all(map(_LABEL.fullmatch, labels)) or _NUMBER.fullmatch(labels[-1]):
        return False
    return labels[-1] not in {"localhost", "local", "internal", "lan", "home", "test", "invalid", "onion"} and (
        labels[-2:] != ["home", "arpa"]
    )


def public_address(address: str) -> bool:
    """Whether `address` is one of the open internet, whatever it is wrapped in."""
    try:
        ip = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    if isinstance(ip, ipaddress.IPv6Address):
        inner = ip.ipv4_mapped or ip.sixtofour or (ip.teredo[1] if ip.teredo else None)
        if inner is None and ip in ipaddress.ip_network("64:ff9b::/96"):
            inner = ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
        if inner is not None and not inner.is_global:
            return False
    return ip.is_global and not ip.is_multicast and not ip.is_reserved and not ip.is_unspecified
