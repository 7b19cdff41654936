"""The drill: many generations, a bad provider, and processes that die all the time. `make drill` runs it.

Visitors ask over HTTP, two workers and a web server are killed (-9) at random moments, and the sandbox, in a process
of its own, drops, hangs, errs, and loses, doubles and hurries callbacks. When all is at rest the product's rows are
held against the sandbox's ledger: nothing may be paid for twice, and nothing that was paid for may be lost.

With `--servers` all stands on PostgreSQL, Redis and S3: two gunicorns at one port and three workers, of which some die
half-way; and Redis and PostgreSQL are started anew in the middle of it.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from tests import environment
from tests.faults.upheaval import Upheaval
from tests.processes import ROOT, free_port, wait_until

LIFE = {"worker": (3.0, 8.0), "web": (10.0, 40.0)}
"""Seconds, from and to, between the start of a process and its violent end."""
CHAOS = 0.1
HANG_SECONDS = (0.3, 8.0)
TASK_SECONDS = 1.0
ASK_SECONDS = 0.25
"""Between two questions to the provider, over all processes."""


def sandbox(folder: Path, port: int, seed: int, stop: Any) -> None:
    """The provider, in a process of its own, until `stop` is set."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    from videos.sandbox.server import Sandbox

    options = {"seconds": TASK_SECONDS, "chaos": CHAOS, "seed": seed, "hang_seconds": HANG_SECONDS}
    with Sandbox(folder, port, quick=True, **options):
        stop.wait()


class Mortal:
    """A process that is killed when its time has come, and started again at once."""

    def __init__(self, drill: Drill, kind: str, name: str, *words: str) -> None:
        self.kind = kind
        self.kills = 0
        self.deaths = 0
        self._drill = drill
        self._name = name
        self._words = words
        self.start()

    def start(self) -> None:
        """Start it and give it a time to live."""
        with (self._drill.folder / f"{self._name}.log").open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.quick", *self._words], cwd=ROOT, stdout=log, stderr=log
            )
        self._until = time.monotonic() + self._drill.random.uniform(*LIFE[self.kind])

    def tick(self, *, may_kill: bool) -> None:
        """Kill it if its time has come; never leave it dead."""
        if self._process.poll() is not None:
            self.deaths += 1
            self.start()
        elif may_kill and time.monotonic() > self._until:
            self.kill()
            self.kills += 1
            self.start()

    def kill(self) -> None:
        """End it as a power cut would."""
        self._process.kill()
        self._process.wait()

    def end(self) -> int:
        """End it politely; its exit status."""
        self._process.terminate()
        return self._process.wait(60)


class Drill:
    """One run, in `folder`."""

    def __init__(self, options: argparse.Namespace, folder: Path) -> None:
        self.options = options
        self.folder = folder
        self.random = random.Random(options.seed)
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.began = time.monotonic()
        self.mortals: list[Mortal] = []
        self.ends: list[int] = []
        environment.clear()
        os.environ |= {
            "DJANGO_SETTINGS_MODULE": "lumasite.settings",
            "PORT": str(self.port),
            "DATA_DIR": str(folder / "data"),
            "GENERATIONS_PER_DAY": "0",
            "LUMA_MAX_IN_FLIGHT": str(options.in_flight),
            "LUMA_POLL_SECONDS": "2",
            "LUMA_CONFIRM_SECONDS": str(options.confirm),
            "QUICK_ASK": str(ASK_SECONDS),
            "QUICK_SWEEP": str(options.sweep),
        }
        self.upheaval = Upheaval(self) if options.servers else None

    def run(self) -> None:
        """Everything up to the moment when all is at rest, or the time is over."""
        self._prepare()
        from tests.faults.visiting import Visitors

        spawn = multiprocessing.get_context("spawn")
        stop = spawn.Event()
        where = (self.folder / "provider", self.port + 1, self.options.seed, stop)
        provider = spawn.Process(target=sandbox, args=where, daemon=True)
        provider.start()
        try:
            for number in range(2 if self.upheaval else 1):
                words = ("gunicorn",) if self.upheaval else ("web",)
                self.mortals.append(Mortal(self, "web", f"web-{number + 1}", *words))
            wait_until(self._web_is_up, "a web server")
            for number in range(3 if self.upheaval else 2):
                self.mortals.append(Mortal(self, "worker", f"worker-{number + 1}", "run_huey"))
            self.visitors = Visitors(self)
            try:
                self._kill_and_wait()
            finally:
                self.visitors.end()
            self.ends = [mortal.end() for mortal in self.mortals if mortal.kind == "worker"]
        finally:
            for mortal in self.mortals:
                mortal.kill()
            stop.set()
            provider.join(10)

    def close(self) -> None:
        """End the servers, after the reckoning."""
        if self.upheaval:
            self.upheaval.end()

    def kills(self) -> int:
        """How many processes were killed so far."""
        return sum(mortal.kills for mortal in self.mortals)

    def allowed(self) -> int:
        """How many generations may have been asked for by now: the kills are to be spread over all of them."""
        part = (self.kills() + 1) / max(1, self.options.kills)
        return min(self.options.generations, round(self.options.generations * part))

    def not_at_rest(self) -> int:
        """How many generations the product still has something to do for."""
        from django.db.models import Q

        from videos.models import Generation
        from videos.states import TERMINAL

        return Generation.objects.filter(~Q(state__in=TERMINAL) | Q(next_check_at__isnull=False)).count()

    def _under_way(self) -> int:
        from django.db import OperationalError, connection

        try:
            return self.not_at_rest()
        except OperationalError:
            # The database was started anew.
            connection.close()
            return self.visitors.asked

    def _prepare(self) -> None:
        import django

        django.setup()
        from django.core.management import call_command

        from tests.faults import visiting
        from videos.models import User

        call_command("migrate", interactive=False, verbosity=0)
        call_command("collectstatic", interactive=False, verbosity=0)
        for name in visiting.NAMES:
            User.objects.create_user(name, password=visiting.PASSWORD)

    def _web_is_up(self) -> bool:
        import requests

        try:
            return requests.get(f"{self.url}/accounts/login/", timeout=5).status_code == 200
        except requests.RequestException:
            return False

    def _kill_and_wait(self) -> None:
        last = time.monotonic() + self.options.seconds_most
        told = time.monotonic()
        while time.monotonic() < last:
            for mortal in self.mortals:
                mortal.tick(may_kill=self.kills() < self.options.kills)
            under_way = self._under_way()
            if self.upheaval:
                self.upheaval.come(self.visitors.asked - under_way)
            if self.kills() >= self.options.kills and self.visitors.done() and not under_way:
                return
            if time.monotonic() - told > 15:
                told = time.monotonic()
                words = f"{self.visitors.asked} asked for, {self.kills()} kills, {under_way} under way"
                sys.stderr.write(f"{told - self.began:6.0f} s: {words}\n")
            time.sleep(0.1)


def show(table: list[tuple[str, Any, Any]]) -> bool:
    """Print the reckoning; whether all is as it must be."""
    good = True
    for name, value, wanted in table:
        fits = wanted is None or value in wanted
        good = good and fits
        must = "" if wanted is None else f"must be {wanted[0]}" + (f" to {wanted[-1]}" if len(wanted) > 1 else "")
        line = f"{name:<42}{value:>8}   {must:<16}{'' if fits else ' VIOLATED'}"
        sys.stdout.write(line.rstrip() + "\n")
    return good


def main() -> int:
    """Run it; 1 where anything was violated."""
    parser = argparse.ArgumentParser(prog="python -m tests.drill", description=__doc__.partition("\n")[0])
    parser.add_argument("--generations", type=int, default=1000)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--servers", action="store_true", help="on PostgreSQL, Redis and S3, which are restarted")
    parser.add_argument("--seconds-most", type=int, default=900, help="when to give up waiting")
    parser.add_argument("--confirm", type=int, default=60, help="LUMA_CONFIRM_SECONDS")
    parser.add_argument("--sweep", type=int, default=60, help="seconds between two sweeps")
    parser.add_argument("--in-flight", type=int, default=20, help="LUMA_MAX_IN_FLIGHT")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--keep", action="store_true", help="leave the folder behind, to look at")
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="luma-drill-"))
    drill = Drill(options, folder)
    try:
        drill.run()
        from tests.faults.accounting import account

        good = show(account(drill))
    finally:
        drill.close()
    for fault in drill.visitors.faults[:10]:
        sys.stdout.write(f"A form was answered with {fault}.\n")
    sys.stdout.write("Nothing was paid for twice, and nothing was lost.\n" if good else "The drill has FAILED.\n")
    if good and not options.keep:
        shutil.rmtree(folder, ignore_errors=True)
    else:
        sys.stdout.write(f"All is in {folder}.\n")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
