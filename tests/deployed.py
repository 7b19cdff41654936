"""The studio as it is deployed: gunicorn, worker and nginx from the files in `deploy/`, with a sandbox as provider.

Each is a process of its own on this machine's loopback. nginx's files are used as they are but for what belongs to
another machine: ports, folders and the certificate.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import uuid
from pathlib import Path
from typing import Any

import requests

from tests import environment
from tests.ground import Ground
from tests.processes import END_SECONDS, ROOT, answers, free_port, wait_until

NGINX = """
{user}
daemon off;
pid {folder}/nginx.pid;
error_log {folder}/nginx.log error;
events {{}}
http {{
    # As Debian's own nginx.conf has it: what our file does not say about logs would show here.
    access_log {folder}/nginx.access.log;
    client_body_temp_path {folder}/nginx-body;
    proxy_temp_path {folder}/nginx-proxy;
    fastcgi_temp_path {folder}/nginx-fastcgi;
    uwsgi_temp_path {folder}/nginx-uwsgi;
    scgi_temp_path {folder}/nginx-scgi;
    include {folder}/site.conf;
}}
"""

PREPARE = """
import django
from django.conf import settings

# Uncompressed: that takes longer than all the rest.
settings.STORAGES["staticfiles"]["BACKEND"] = "django.contrib.staticfiles.storage.ManifestStaticFilesStorage"
django.setup()
from django.core.management import call_command

call_command("migrate", interactive=False, verbosity=0)
call_command("collectstatic", interactive=False, verbosity=0)
from videos.models import User

User.objects.create_superuser("demo", password="demo")
"""


class Proxy:
    """nginx by one of our files, in `folder`; `web` and `bucket` are the `host:port` that it leads to.

    It speaks plain http, or https with the certificate in `tls`, a folder.
    """

    def __init__(self, folder: Path, name: str, web: str, bucket: str, tls: Path | None = None) -> None:
        self.folder = folder
        self.port, self.plain_port = free_port(), free_port()
        self.url = f"http{'s' if tls else ''}://127.0.0.1:{self.port}"
        conf = (ROOT / "deploy" / "nginx" / name).read_text()
        for there, here in (
            (r"listen \[::\].*", ""),
            (r"listen 80;", f"listen 127.0.0.1:{self.plain_port};"),
            (r"listen 443 ", f"listen 127.0.0.1:{self.port} "),
            *((r"ssl_certificate .*;", f"ssl_certificate {tls}/certificate.pem;"),) * bool(tls),
            *((r"ssl_certificate_key .*;", f"ssl_certificate_key {tls}/key.pem;"),) * bool(tls),
            *((r" ssl http2;", ";"), (r"ssl_.*;", "")) * (not tls),
            (r"127\.0\.0\.1:8000|web:8000", web),
            (r"minio:9000", bucket),
            (r"/var/log/nginx/", f"{folder}/"),
            (r"/dev/stdout|/dev/stderr", f"{folder}/nginx.container.log"),
        ):
            conf = re.sub(there, here, conf)
        self.process: subprocess.Popen[bytes] | None = None
        (folder / "site.conf").write_text(conf)
        user = "user root;" if os.getuid() == 0 else ""
        (folder / "nginx.conf").write_text(NGINX.format(user=user, folder=folder))

    def start(self) -> Proxy:
        """Start it and wait until it listens."""
        words = ["nginx", "-c", str(self.folder / "nginx.conf"), "-e", str(self.folder / "nginx.log")]
        self.process = subprocess.Popen(words)
        wait_until(lambda: answers(self.port), "nginx")
        return self

    def end(self) -> int:
        """End it; its exit status."""
        assert self.process is not None
        self.process.terminate()
        return self.process.wait(END_SECONDS)

    def logs(self) -> str:
        """All that it has written."""
        return "".join(path.read_text(errors="replace") for path in self.folder.glob("*.log"))


class Deployed:
    """A site in `folder`, from start to end; `settings` go into the environment of all its processes."""

    def __init__(self, folder: Path, proxy: str = "one-machine.conf", **settings: Any) -> None:
        self.folder = folder
        self.web_port = free_port()
        self.environ = dict(os.environ)
        environment.clear(self.environ)
        self.ground = Ground(folder / "data")
        self.environ |= self.ground.environ | {
            "DJANGO_SETTINGS_MODULE": "lumasite.settings",
            "PORT": str(self.web_port),
            "TRUSTED_PROXIES": "1",
            "LUMA_POLL_SECONDS": "2",
        }
        self.environ |= {name: str(value) for name, value in settings.items()}
        bucket = self.environ.get("AWS_S3_ENDPOINT_URL", "").partition("//")[2] or "127.0.0.1:9"
        self.proxy = Proxy(folder, proxy, web=f"127.0.0.1:{self.web_port}", bucket=bucket)
        self.port, self.url = self.proxy.port, self.proxy.url
        self.environ["PUBLIC_BASE_URL"] = self.url
        self.processes: dict[str, subprocess.Popen[bytes]] = {}

    def start(self) -> Deployed:
        """Start everything, and wait until it is healthy."""
        self.run("prepare", sys.executable, "-c", PREPARE)
        assert self.processes.pop("prepare").wait(END_SECONDS) == 0, self.logs()
        self.run("sandbox", sys.executable, "manage.py", "sandbox", "--port", str(self.web_port + 1))
        self.start_web()
        self.start_worker()
        self.proxy.start()
        wait_until(self._healthy, "a healthy site")
        return self

    def start_web(self) -> None:
        """gunicorn, by its file."""
        bind = f"127.0.0.1:{self.web_port}"
        words = ["-c", "deploy/gunicorn.conf.py", "--bind", bind, "--access-logfile", "-", "lumasite.wsgi"]
        self.run("web", sys.executable, "-m", "gunicorn", *words)
        wait_until(lambda: answers(self.web_port), "gunicorn")

    def start_worker(self) -> None:
        """The worker."""
        self.run("worker", sys.executable, "manage.py", "run_huey")

    def run(self, name: str, *words: str) -> None:
        """Start a process; what it prints goes into `name`.log."""
        with (self.folder / f"{name}.log").open("ab") as log:
            self.processes[name] = subprocess.Popen(words, cwd=ROOT, env=self.environ, stdout=log, stderr=log)

    def end(self, name: str, number: int = signal.SIGTERM) -> int:
        """Send a process a signal and wait for its end; its exit status."""
        process = self.processes.pop(name)
        process.send_signal(number)
        return process.wait(END_SECONDS)

    def end_all(self) -> None:
        """End what still runs."""
        for name in list(self.processes):
            self.end(name)
        if self.proxy.process:
            self.proxy.end()

    def state(self, generation: str) -> str:
        """Where a generation stands, by its row: the web server may be away."""
        (row,) = self.ground.rows("SELECT state FROM videos_generation WHERE id = ?", uuid.UUID(generation).hex)
        return str(row["state"])

    def logs(self) -> dict[str, str]:
        """All that was logged, by file."""
        return {path.name: path.read_text(errors="replace") for path in sorted(self.folder.glob("*.log"))}

    def _healthy(self) -> bool:
        for name, process in self.processes.items():
            assert process.poll() is None, f"{name} ended by itself:\n{self.logs()}"
        try:
            return requests.get(f"{self.url}/healthz/", timeout=2).status_code == 200
        except requests.RequestException:
            return False
