"""Reads single settings from the environment, and says clearly what is wrong with a bad one.

An empty value counts as unset, since container files pass those on.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from decimal import Decimal, InvalidOperation
from typing import Any, TypeVar
from urllib.parse import urlsplit

import environ
from django.core.exceptions import ImproperlyConfigured

T = TypeVar("T")

NAMES: set[str] = set()
"""Every setting that was asked for; the README must tell of each."""

_TRUE = {"1", "true", "yes", "on"}
_FALSE = {"0", "false", "no", "off"}
_HOST = re.compile(r"(\*\.)?([a-z0-9-]+\.)*[a-z0-9-]+(:\d{1,5})?|\[[0-9a-f:]+\](:\d{1,5})?", re.IGNORECASE)


def read(name: str, parse: Callable[[str], T], default: T) -> T:
    """The setting `name`, parsed; `default` where it is unset or empty.

    Raises `ImproperlyConfigured` naming the setting, the value's fault and, for secrets' sake, never
    the value of anything called token, key or url.
    """
    NAMES.add(name)
    raw = os.environ.get(name, "").strip()
    if not raw:
        return default
    try:
        return parse(raw)
    except (ValueError, InvalidOperation) as fault:
        shown = "" if re.search("TOKEN|KEY|SECRET|DATABASE|REDIS|EMAIL", name) else f" (it is {raw!r})"
        raise ImproperlyConfigured(f"The setting {name} {fault}{shown}.") from None


def truth(raw: str) -> bool:
    """true, yes, on, 1 or their opposites."""
    if raw.lower() in _TRUE | _FALSE:
        return raw.lower() in _TRUE
    raise ValueError("must be true or false")


def whole(low: int, high: int) -> Callable[[str], int]:
    """A parser of whole numbers from `low` to `high`."""

    def parse(raw: str) -> int:
        if re.fullmatch(r"\d{1,15}", raw) and low <= int(raw) <= high:
            return int(raw)
        raise ValueError(f"must be a whole number from {low} to {high}")

    return parse


def origin(raw: str) -> str:
    """An http(s) address without path, query or trailing slash."""
    try:
        parts = urlsplit(raw)
        good = parts.scheme in ("http", "https") and parts.hostname and "@" not in parts.netloc
        _ = parts.port
    except ValueError:
        good = False
    if not good or parts.path.strip("/") or parts.query or parts.fragment:
        raise ValueError("must be an address such as https://studio.example.com, without a path")
    return f"{parts.scheme}://{parts.netloc}"


def base_url(raw: str) -> str:
    """An http(s) address, perhaps with a path, without a trailing slash."""
    parts = urlsplit(raw)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
        raise ValueError("must be an http or https address")
    return raw.rstrip("/")


def listing(raw: str) -> list[str]:
    """A comma list; white space and empty entries are dropped."""
    return [entry.strip() for entry in raw.split(",") if entry.strip()]


def hosts(raw: str) -> list[str]:
    """A comma list of `host`, `host:port` or `*.host`."""
    found = [entry.lower() for entry in listing(raw)]
    for entry in found:
        if not _HOST.fullmatch(entry):
            raise ValueError(f"must be a comma list of hosts, without scheme or path; {entry!r} is none")
    return found


def price(raw: str) -> tuple[Decimal, str]:
    """An amount and a currency code, such as `0.40 USD`."""
    match = re.fullmatch(r"(\d{1,6}(?:\.\d{1,4})?) ([A-Z]{3})", raw)
    if not match:
        raise ValueError("must be an amount and a currency, such as 0.40 USD")
    return Decimal(match[1]), match[2]


def database(raw: str) -> dict[str, Any]:
    """Django's database entry for a `postgres://` or `sqlite:///` URL."""
    if not raw.startswith(("postgres://", "postgresql://", "sqlite:///")):
        raise ValueError("must begin with postgres:// or sqlite:///")
    return dict(environ.Env.db_url_config(raw))


def redis(raw: str) -> str:
    """A Redis URL."""
    if not raw.startswith(("redis://", "rediss://", "unix://")):
        raise ValueError("must begin with redis://, rediss:// or unix://")
    return raw


def email(raw: str) -> dict[str, Any]:
    """Django's mail settings for a URL such as `smtp+tls://user:password@host:587`."""
    found = dict(environ.Env.email_url_config(raw))
    if not found.get("EMAIL_BACKEND"):
        raise ValueError("must be an address such as smtp+tls://user:password@host:587")
    return found
