"""The drill in short; `make drill` is the real one."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.processes import ROOT

pytestmark = pytest.mark.xdist_group("processes")


def test_nothing_is_paid_twice_or_lost_while_processes_die():
    words = ["--generations", "60", "--kills", "8", "--confirm", "12", "--seconds-most", "150"]
    done = subprocess.run(
        [sys.executable, "-m", "tests.drill", *words], cwd=ROOT, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "charged, or made, twice" in done.stdout
