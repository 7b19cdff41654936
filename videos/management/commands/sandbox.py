"""`manage.py sandbox`: the stand-in for the provider, alone."""

from __future__ import annotations

import queue
import signal
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from videos.sandbox.server import Sandbox


class Command(BaseCommand):
    help = "Run the sandbox, a stand-in for the provider that needs no account and costs nothing."
    requires_system_checks = ()  # it shares no model with the site, and is there to try a half-made one with

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--port", type=int, help="default: the site's port + 1; 0: any free port")
        parser.add_argument("--host", default="127.0.0.1")
        parser.add_argument("--data", type=Path, help="folder of its own (default: provider/ in DATA_DIR)")
        parser.add_argument("--seconds", type=float, default=2.0, help="the least that a task takes")
        parser.add_argument("--token", help="the only Bearer token that is taken; default: any")
        parser.add_argument("--chaos", type=float, default=0.0, help="chance of a mishap, from 0 to 1")
        parser.add_argument("--seed", type=int, default=0, help="of the mishaps")
        parser.add_argument("--quick", action="store_true", help="don't render: copies of one tiny video")

    def handle(self, *args: Any, **options: Any) -> None:
        """Serve until SIGINT or SIGTERM. Raises `CommandError` where it can't start."""
        port = settings.PORT + 1 if options["port"] is None else options["port"]
        if not 0 <= port <= 65535:
            raise CommandError(f"{port} is not a port: give --port a number from 0 to 65535.")
        if options["seconds"] < 0:
            raise CommandError("--seconds can't be negative.")
        if not 0 <= options["chaos"] <= 1:
            raise CommandError("--chaos is a probability: give it a number from 0 to 1.")
        folder = options["data"] or Path(settings.DATA_DIR) / "provider"
        names = ("seconds", "token", "chaos", "seed", "quick", "host")
        # Not an Event: set by a handler in the moment in which the same thread begins to wait, it waits for ever.
        stopped: queue.SimpleQueue[int] = queue.SimpleQueue()
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda number, _: stopped.put(number))
        try:
            sandbox = Sandbox(folder, port, **{name: options[name] for name in names}).start()
        except OSError as error:
            where = f"{options['host']}:{port}"
            raise CommandError(f"The sandbox can't start on {where} with its data in {folder}: {error}") from error
        try:
            self.stdout.write(f"The sandbox is at {sandbox.url} (Ctrl-C ends it)")
            self.stdout.flush()
            stopped.get()
        finally:
            sandbox.stop()
