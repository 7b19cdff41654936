"""Everything in one process: web server, worker and, without an API token, the sandbox."""

from __future__ import annotations

import hashlib
import os
import sys
import threading
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import waitress
from django.conf import settings
from django.contrib.auth import get_user_model
from django.contrib.staticfiles.finders import get_finders
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.core.wsgi import get_wsgi_application
from waitress.channel import HTTPChannel
from waitress.task import WSGITask

from videos.middleware import BODY_MAX
from videos.sandbox.server import Sandbox
from videos.worker import make_consumer

THREADS = 8


class OneAtATime(WSGITask):
    """Of requests that come in one go, answers the first and closes: the client asks again for the others.

    To answer them all, waitress would hold a thread until the client has taken what came before; and nobody
    who does so has to take anything. Browsers and proxies send one at a time.
    """

    def service(self) -> None:
        super().service()
        if len(self.channel.requests) > 1:
            self.close_on_finish = True


def collect_static() -> None:
    """Collect and compress the static files, unless they are the same as last time: it takes some seconds."""
    stamp = Path(settings.STATIC_ROOT) / ".collected"
    found = hashlib.sha256()
    for finder in get_finders():
        for name, storage in finder.list(None):
            at = Path(storage.path(name)).stat()
            found.update(f"{name} {at.st_size} {at.st_mtime_ns}\n".encode())
    if stamp.exists() and stamp.read_text() == found.hexdigest():
        return
    stamp.unlink(missing_ok=True)
    call_command("collectstatic", interactive=False, verbosity=0)
    stamp.write_text(found.hexdigest())


class Command(BaseCommand):
    help = "Run the whole studio in one process. Ctrl-C or SIGTERM ends it cleanly."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--port", type=int, default=settings.PORT)
        parser.add_argument("--host", default="127.0.0.1")

    def handle(self, *args: Any, port: int, host: str, **options: Any) -> None:
        if not 1 <= port <= 65534:
            raise CommandError("--port must be between 1 and 65534.")
        if port != settings.PORT:
            # Settings follow the port (the callback's address among them), so they must be read anew.
            os.environ["PORT"] = str(port)
            os.execv(sys.executable, [sys.executable, *sys.argv])  # noqa: S606
        call_command("migrate", interactive=False, verbosity=0)
        collect_static()
        with ExitStack() as stack:
            if settings.SANDBOX:
                self._make_demo()
                stack.enter_context(self._sandbox())
            server = self._web_server(host, port)
            # Registered after the sandbox, so that the web server closes first.
            stack.callback(server.close)
            threading.Thread(target=server.run, name="web", daemon=True).start()
            self._greet(host, port)
            make_consumer().run()
        self.stdout.write("Luma Studio has ended. Whatever was under way goes on at the next start.")

    def _web_server(self, host: str, port: int) -> Any:
        HTTPChannel.task_class = OneAtATime
        try:
            return waitress.create_server(
                get_wsgi_application(),
                host=host,
                port=port,
                threads=THREADS,
                ident=None,
                max_request_body_size=BODY_MAX,
                # Django and axes judge these headers, by TRUSTED_PROXIES.
                clear_untrusted_proxy_headers=not settings.TRUSTED_PROXIES,
            )
        except OSError as fault:
            raise CommandError(
                f"Port {port} on {host} can't be used ({fault.strerror}). Choose another: PORT=9000 make run"
            ) from fault

    def _sandbox(self) -> Sandbox:
        port = settings.PORT + 1
        try:
            return Sandbox(settings.DATA_DIR / "provider", port=port)
        except OSError as fault:
            raise CommandError(
                f"Port {port}, for the sandbox, can't be used ({fault.strerror}). Choose another: PORT=9000 make run"
            ) from fault

    def _make_demo(self) -> None:
        users = get_user_model().objects
        if not users.filter(username="demo").exists():
            users.create_superuser("demo", password="demo")  # noqa: S106  made in sandbox mode only

    def _greet(self, host: str, port: int) -> None:
        self.stdout.write(self.style.SUCCESS(f"Luma Studio runs on http://{host}:{port}"))
        if settings.SANDBOX:
            self.stdout.write("Sandbox mode: no account, no cost. Sign in as demo / demo.")
        elif not get_user_model().objects.exists():
            self.stdout.write("There is no account yet. Make the first: .venv/bin/python manage.py createsuperuser")
        self.stdout.flush()
