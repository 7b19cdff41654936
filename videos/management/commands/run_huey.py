"""The worker alone, for deployments with several processes."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandParser

from videos.worker import make_consumer


class Command(BaseCommand):
    help = "Run the worker: sends generations, follows tasks, brings videos home."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("-w", "--workers", type=int, default=settings.HUEY["consumer"]["workers"])

    def handle(self, *args: Any, **options: Any) -> None:
        make_consumer(workers=max(1, options["workers"])).run()
