"""One reconciling pass, by hand."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand

from videos import services


class Command(BaseCommand):
    help = "Look after every generation that is due, once: send, ask, confirm, store."

    def handle(self, *args: Any, **options: Any) -> None:
        touched = services.reconcile()
        self.stdout.write(f"{len(set(touched))} generations looked after.")
