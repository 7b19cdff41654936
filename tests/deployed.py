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


class Deployed:
    """A site in `folder`, from start to end; `settings` go into the environment of all its processes."""

    def __init__(self, folder: Path, proxy: str = "one-machine.conf", **settings: Any) -> None:
        self.folder = folder
        self.web_port = free_port()
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.environ = dict(os.environ)
        environment.clear(self.environ)
        self.ground = Ground(folder / "data")
        self.environ |= self.ground.environ | {
            "DJANGO_SETTINGS_MODULE": "lumasite.settings",
            "PORT": str(self.web_port),
            "PUBLIC_BASE_URL": self.url,
            "TRUSTED_PROXIES": "1",
            "LUMA_POLL_SECONDS": "2",
        }
        self.environ |= {name: str(value) for name, value in settings.items()}
        bucket = self.environ.get("AWS_S3_ENDPOINT_URL", "").partition("//")[2]
        (folder / "site.conf").write_text(self._adapted((ROOT / "deploy" / "nginx" / proxy).read_text(), bucket))
        user = "user root;" if os.getuid() == 0 else ""
        (folder / "nginx.conf").write_text(NGINX.format(user=user, folder=folder))
        self.processes: dict[str, subprocess.Popen[bytes]] = {}

    def start(self) -> Deployed:
        """Start everything, and wait until it is healthy."""
        self.manage("migrate", "--noinput")
        self.manage("collectstatic", "--noinput")
        self.manage("createsuperuser", "--noinput", "--username", "demo", "--email", "demo@example.com")
        self.run("sandbox", sys.executable, "manage.py", "sandbox", "--port", str(self.web_port + 1))
        self.start_web()
        self.start_worker()
        self.run("nginx", "nginx", "-c", str(self.folder / "nginx.conf"), "-e", str(self.folder / "nginx.log"))
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

    def manage(self, *words: str) -> str:
        """Run one of manage.py's commands; what it printed."""
        done = subprocess.run(
            [sys.executable, "manage.py", *words],
            cwd=ROOT,
            env=self.environ | {"DJANGO_SUPERUSER_PASSWORD": "demo"},
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

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

    def _adapted(self, conf: str, bucket: str) -> str:
        for there, here in (
            (r"listen \[::\].*", ""),
            (r"listen 80;", f"listen 127.0.0.1:{self.port + 1};"),
            (r"listen 443 ssl http2;", f"listen 127.0.0.1:{self.port};"),
            (r"ssl_.*;", ""),
            (r"127\.0\.0\.1:8000|web:8000", f"127.0.0.1:{self.web_port}"),
            (r"minio:9000", bucket or "127.0.0.1:9"),
            (r"/var/log/nginx/", f"{self.folder}/"),
            (r"/dev/stdout|/dev/stderr", f"{self.folder}/nginx.container.log"),
        ):
            conf = re.sub(there, here, conf)
        return conf
