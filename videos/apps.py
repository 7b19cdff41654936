"""The application and its system checks."""

from __future__ import annotations

from typing import Any

from django.apps import AppConfig
from django.db.models.signals import post_migrate


def make_site(**kwargs: Any) -> None:
    """After each migration, and whenever the database was emptied: the one row that all processes share."""
    from .models import Site

    Site.objects.using(kwargs["using"]).get_or_create(pk=1)


class VideosConfig(AppConfig):
    """Luma Studio."""

    name = "videos"
    verbose_name = "Luma Studio"

    def ready(self) -> None:
        post_migrate.connect(make_site, sender=self)
        from . import checks  # noqa: F401  registers them
