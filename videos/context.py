"""What every page knows."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.http import HttpRequest

from . import services


def site(request: HttpRequest) -> dict[str, Any]:
    """The settings that show on pages; and what holds up everybody, asked for where a template uses it."""
    return {
        "hold_up": services.hold_up,
        "sandbox_mode": settings.SANDBOX,
        "signup_open": settings.SIGNUP_OPEN,
        "mail_configured": settings.MAIL_CONFIGURED,
        "price": " ".join(map(str, settings.LUMA_PRICE)) if settings.LUMA_PRICE else "",
    }
