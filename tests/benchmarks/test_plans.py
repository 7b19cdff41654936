"""With a million rows nothing that people wait for reads a table from one end to the other."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from tests.processes import ROOT

pytestmark = pytest.mark.service
ROWS = 1_000_000
VISITED_MOST = 1000
"""Rows that one step may look at: the line of those who wait is the longest that there is."""
MUST_HAVE = {"gallery", "gallery, deep", "live poll", "live poll, waiting", "callback", "sweep"}


@pytest.mark.parametrize("kind", ["SQLite", "PostgreSQL"])
def test_every_statement_of_gallery_poll_callback_and_sweep_is_found_by_an_index(tmp_path, kind):
    environ = {name: value for name, value in os.environ.items() if kind != "SQLite" or not name.startswith("TEST_")}
    done = subprocess.run(
        [sys.executable, "-m", "tests.benchmarks.plans", str(tmp_path), str(ROWS)],
        cwd=ROOT,
        env=environ,
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert {entry["by"] for entry in found} >= MUST_HAVE
    for entry in found:
        assert entry["scans"] == [], entry
        assert entry["visited"] <= VISITED_MOST, entry
