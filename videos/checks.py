"""System checks: what an operator has forgotten to say."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core.checks import CheckMessage, Warning, register

from . import links


@register()
def provider_can_reach_us(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    """Callbacks and uploaded frames need a way in; without one, polling and the platform token do."""
    if settings.SANDBOX:
        return []
    found: list[CheckMessage] = []
    public = settings.PUBLIC_BASE_URL
    if not public:
        found.append(
            Warning(
                "PUBLIC_BASE_URL is not set: the provider can't call back, so results are found by polling alone.",
                hint="Set it to the https address by which the internet reaches this site.",
                id="videos.W001",
            )
        )
        if not settings.ACEDATACLOUD_PLATFORM_TOKEN and not settings.AWS_STORAGE_BUCKET_NAME:
            found.append(
                Warning(
                    "Uploaded frames have no way to the provider.",
                    hint="Set PUBLIC_BASE_URL, ACEDATACLOUD_PLATFORM_TOKEN or AWS_STORAGE_BUCKET_NAME.",
                    id="videos.W002",
                )
            )
    elif urlsplit(settings.ACEDATACLOUD_API_BASE_URL).scheme == "https" and not links.acceptable(public):
        found.append(
            Warning(
                "PUBLIC_BASE_URL names a private host, which the provider can't reach.",
                hint="Set the public address, or unset it to poll.",
                id="videos.W003",
            )
        )
    if public.startswith("https://") and not settings.TRUSTED_PROXIES:
        found.append(
            Warning(
                "PUBLIC_BASE_URL is https, but no proxy is trusted to say how a request came in.",
                hint="Set TRUSTED_PROXIES to the number of proxies in front of this site.",
                id="videos.W004",
            )
        )
    return found
