"""Reads single settings from the environment, and says clearly what is wrong with a bad one.

An empty value counts as unset, since container files pass those on.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from decimal import Decimal, InvalidOperation
from typing import Any, TypeVar
from urllib.parse import SplitResult, urlsplit

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

    Raises `ImproperlyConfigured` naming the setting and the value's fault; and the value itself, unless
    it is a secret or an address with a password in it.
    """
    NAMES.add(name)
    raw = os.environ.get(name, "").strip()
    if not raw:
        return default
    try:
        return parse(raw)
    except (ValueError, InvalidOperation) as fault:
        secret = "@" in raw or re.search("TOKEN|KEY|SECRET|DATABASE|REDIS|EMAIL", name)
        shown = "" if secret else f" (it is {raw!r})"
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
    parts = _address(raw)
    if parts is None or parts.path.strip("/"):
        raise ValueError("must be an address such as https://studio.example.com, without a path")
    return f"{parts.scheme}://{parts.netloc}"


def base_url(raw: str) -> str:
    """An http(s) address, perhaps with a path, without a trailing slash."""
    if _address(raw) is None:
        raise ValueError("must be an http or https address, without a password in it")
    return raw.rstrip("/")


def _address(raw: str) -> SplitResult | None:
    try:
        parts = urlsplit(raw)
        _ = parts.port
    except ValueError:
        return None
    good = parts.scheme in ("http", "https") and parts.hostname and "@" not in parts.netloc and raw.isprintable()
    return parts if good and not (parts.query or parts.fragment or " " in raw) else None


def token(raw: str) -> str:
    """An API token, as it can stand in a header."""
    if not re.fullmatch(r"[!-~]+", raw):
        raise ValueError("must be one word of plain letters, digits and signs: copy it anew from the provider's site")
    return raw


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
    return _parsed(environ.Env.db_url_config, raw, "postgres://user:password@host:5432/name")


def redis(raw: str) -> str:
    """A Redis URL."""
    if not raw.startswith(("redis://", "rediss://", "unix://")):
        raise ValueError("must begin with redis://, rediss:// or unix://")
    _parsed(lambda address: {"port": urlsplit(address).port}, raw, "redis://:password@host:6379/0")
    return raw


def email(raw: str) -> dict[str, Any]:
    """Django's mail settings for a URL such as `smtp+tls://user:password@host:587`."""
    return _parsed(environ.Env.email_url_config, raw, "smtp+tls://user:password@host:587")


def _parsed(parse: Callable[[str], Any], raw: str, example: str) -> dict[str, Any]:
    try:
        return dict(parse(raw))
    except (ValueError, KeyError, ImproperlyConfigured):
        # The parser's own words repeat what it stumbled on: often a part of the password.
        raise ValueError(
            f"must be an address such as {example}, with signs such as / # ? @ in a password written as %2F %23 %3F %40"
        ) from None
