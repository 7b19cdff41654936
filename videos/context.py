"""What every page knows without asking the database."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.http import HttpRequest


def site(request: HttpRequest) -> dict[str, Any]:
    """The settings that show on pages."""
    return {
        "sandbox_mode": settings.SANDBOX,
        "signup_open": settings.SIGNUP_OPEN,
        "mail_configured": settings.MAIL_CONFIGURED,
        "price": " ".join(map(str, settings.LUMA_PRICE)) if settings.LUMA_PRICE else "",
    }
