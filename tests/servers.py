"""PostgreSQL, Redis and an S3 look-alike on this machine: `python -m tests.servers COMMAND…` runs the command on them.

The tests find them by `TEST_DATABASE_URL`, `TEST_REDIS_URL` and `TEST_S3_URL`; without these they run on SQLite, a
queue in memory and local files. Knows nothing of Django.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from glob import glob
from pathlib import Path

from tests.processes import ROOT, answers, free_port, wait_until

REDIS_NUMBERS = 4096
"""So many studios can have a Redis database of their own."""


class Postgres:
    """A cluster in `folder`; made and started by `start`, which can be called again after `stop`.

    What a power cut would leave is not looked at: nothing waits for the disk.
    """

    durable = "off"

    def __init__(self, folder: Path, connections: int = 200) -> None:
        self.folder = folder
        self.port = free_port()
        self.url = f"postgres://postgres@127.0.0.1:{self.port}/postgres"
        self._programs = _postgres_programs()
        self._options = f"-p {self.port} -k {folder} -c listen_addresses=127.0.0.1 -c max_connections={connections}"
        self._options += f" -c fsync={self.durable}"
        # PostgreSQL refuses to run as root.
        self._runner = ["runuser", "-u", "postgres", "--"] if os.getuid() == 0 else []

    def start(self) -> Postgres:
        """Start it and wait until it takes connections."""
        data = self.folder / "data"
        if not data.exists():
            if self._runner:
                shutil.chown(self.folder, "postgres")
                self.folder.chmod(0o755)
            self._run("initdb", "--no-sync", "-A", "trust", "-U", "postgres", "-E", "UTF8", "-D", str(data))
        self._run("pg_ctl", "-w", "-D", str(data), "-l", str(self.folder / "log.txt"), "-o", self._options, "start")
        return self

    def stop(self, how: str = "fast") -> None:
        """End it: "fast" as an operator would, "immediate" as a power cut would."""
        self._run("pg_ctl", "-w", "-m", how, "-D", str(self.folder / "data"), "stop")

    def _run(self, program: str, *words: str) -> None:
        done = subprocess.run(
            [*self._runner, str(self._programs / program), *words],
            cwd="/",
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            timeout=120,
        )
        assert done.returncode == 0, done.stderr


class Redis:
    """A Redis in `folder` that keeps nothing on disk: the queue may lose everything."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = free_port()
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> Redis:
        """Start it, empty, and wait until it answers."""
        program = shutil.which("redis-server")
        assert program, "redis-server is not installed (Debian: apt install redis-server)"
        words = ["--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--databases", str(REDIS_NUMBERS)]
        with (self.folder / "redis.log").open("ab") as log:
            self._process = subprocess.Popen([program, *words], cwd=self.folder, stdout=log, stderr=log)
        wait_until(lambda: answers(self.port), "Redis")
        return self

    def stop(self) -> None:
        """End it at once; what it held is gone."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()


class Bucket:
    """moto's S3 server in a process of its own; it holds everything in memory."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"

    def start(self) -> Bucket:
        """Start it and wait until it answers."""
        program = "from moto.server import main; main()"
        words = [sys.executable, "-c", program, "-H", "127.0.0.1", "-p", str(self.port)]
        with (self.folder / "s3.log").open("ab") as log:
            self._process = subprocess.Popen(words, stdout=log, stderr=log)
        wait_until(lambda: answers(self.port), "the S3 look-alike")
        return self

    def stop(self) -> None:
        """End it; its buckets are gone."""
        self._process.kill()
        self._process.wait()


def _postgres_programs() -> Path:
    found = shutil.which("initdb")
    folders = [str(Path(found).parent)] if found else sorted(glob("/usr/lib/postgresql/*/bin"))
    assert folders, "PostgreSQL is not installed (Debian: apt install postgresql)"
    return Path(folders[-1])


@contextmanager
def started(*kinds: type[Postgres] | type[Redis] | type[Bucket]) -> Iterator[list[Postgres | Redis | Bucket]]:
    """One server of each kind, in folders that go when they end."""
    with ExitStack() as stack:
        servers: list[Postgres | Redis | Bucket] = []
        for kind in kinds:
            # Short: the path of a socket has a limit.
            folder = Path(tempfile.mkdtemp(prefix="luma-", dir="/tmp"))
            stack.callback(shutil.rmtree, folder, ignore_errors=True)
            server = kind(folder).start()
            stack.callback(server.stop)
            servers.append(server)
        yield servers


def main(words: list[str]) -> int:
    """Run a command on servers of its own; its exit status."""
    began = time.monotonic()
    with started(Postgres, Redis, Bucket) as (postgres, redis, bucket):
        sys.stderr.write(f"PostgreSQL, Redis and S3 are up after {time.monotonic() - began:.1f} s\n")
        environ = os.environ | {
            "TEST_DATABASE_URL": postgres.url,
            "TEST_REDIS_URL": redis.url,
            "TEST_S3_URL": bucket.url,
        }
        process = subprocess.Popen(words, cwd=ROOT, env=environ)
        # Ctrl-C reaches the command, too: its end is waited for, and then the servers end.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        return process.wait()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
