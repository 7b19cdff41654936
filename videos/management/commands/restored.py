"""After a restore: what waited when the backup was made must not be sent blindly."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand

from videos import services


class Command(BaseCommand):
    help = (
        "Run once after restoring a backup. Queued requests may have been sent, and charged, since it was made: "
        "they end as failed, for their owners to send again; then submissions are let go."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        ended = services.after_restore()
        self.stdout.write(f"{ended} waiting requests ended; whatever was made of them still comes in by callback.")
