"""All that is measured: `python -m tests.benchmarks`, which is `make bench`.

Ratios within one run, on SQLite with local files, and on PostgreSQL, Redis and S3 where they are installed. Takes half
an hour; nothing else should go on meanwhile.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from dataclasses import asdict
from datetime import UTC, datetime
from glob import glob
from pathlib import Path

from tests.benchmarks.measuring import Line, shown
from tests.processes import ROOT

KINDS = {"sqlite": "SQLite", "servers": "PostgreSQL"}


def machine() -> str:
    """What this was measured on, in a line."""
    memory = Path("/proc/meminfo").read_text().split()[1] if Path("/proc/meminfo").exists() else "0"
    words = f"{os.cpu_count()} cores, {int(memory) / 1024 / 1024:.0f} GiB, {platform.system()} {platform.machine()}"
    return f"{datetime.now(UTC):%Y-%m-%d}; {words}, Python {platform.python_version()}"


def measured(kind: str, many: int, drill: bool) -> list[Line]:
    """All lines for one kind of ground; in a process of its own, whose environment leads to the servers."""
    command = [sys.executable, "-m", "tests.benchmarks", "--one", KINDS[kind], "--many", str(many), "--json"]
    on_servers = [sys.executable, "-m", "tests.servers"] if kind == "servers" else []
    done = subprocess.run([*on_servers, *command], cwd=ROOT, stdout=subprocess.PIPE, check=True)
    lines = [Line(**{k: v for k, v in line.items() if k != "met"}) for line in json.loads(done.stdout)["lines"]]
    if drill:
        words = [sys.executable, "-m", "tests.drill", *(["--servers"] if kind == "servers" else [])]
        done = subprocess.run(words, cwd=ROOT, stdout=subprocess.PIPE)
        told = dict(line.rsplit(None, 1) for line in _counts(done.stdout.decode()))
        for name in ("charged, or made, twice", "paid and lost"):
            note = f"({told['rows']} generations, {told['kills']} kills)"
            lines.append(Line(f"drill: {name}, {KINDS[kind]}", float(told[name]), "= 0", note=note))
    return lines


def _counts(text: str) -> list[str]:
    """The drill's names and numbers."""
    return [line[:50].strip() for line in text.splitlines() if line[42:50].strip().isdigit()]


def one(kind: str, many: int) -> list[Line]:
    """The lines of pages, queries and servers on the ground that the environment names."""
    from tests.benchmarks import pages, serving

    folder = Path(tempfile.mkdtemp(prefix="luma-bench-"))
    lines = pages.measure(folder, kind, many) + serving.measure(folder, kind)
    shutil.rmtree(folder, ignore_errors=True)
    return lines


def main() -> int:
    """Measure and print; 1 where a goal is not met."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__.partition("\n")[0])
    parser.add_argument("--json", action="store_true", help="for machines")
    parser.add_argument("--only", choices=KINDS, help="this kind of ground alone")
    parser.add_argument("--many", type=int, default=1_000_000, help="rows of the large database")
    parser.add_argument("--without-drill", action="store_true", help="leave out the drills, half of the time")
    parser.add_argument("--one", choices=KINDS.values(), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        lines = one(options.one, options.many)
    else:
        installed = bool(shutil.which("redis-server") and (shutil.which("initdb") or glob("/usr/lib/postgresql/*/bin")))
        kinds = [options.only] if options.only else ["sqlite", *(["servers"] if installed else [])]
        lines = [line for kind in kinds for line in measured(kind, options.many, not options.without_drill)]
    if options.json:
        found = {"machine": machine(), "lines": [asdict(line) | {"met": line.met} for line in lines]}
        json.dump(found, sys.stdout, indent=None if options.one else 2)
        sys.stdout.write("\n")
    else:
        sys.stdout.write(f"{machine()}\n\n{shown(lines)}\n")
    return 0 if options.one or all(line.met is not False for line in lines) else 1


if __name__ == "__main__":
    sys.exit(main())
