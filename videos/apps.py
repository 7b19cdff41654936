"""The application and its system checks."""

from __future__ import annotations

from django.apps import AppConfig


class VideosConfig(AppConfig):
    """Luma Studio."""

    name = "videos"
    verbose_name = "Luma Studio"

    def ready(self) -> None:
        from . import checks  # noqa: F401  registers them
