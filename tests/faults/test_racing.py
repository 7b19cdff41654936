"""Several workers at one row, with connections of their own: one gets it, and the limit holds over all of them."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter

import pytest

from tests.faults.conftest import PATIENCE
from tests.processes import ROOT

pytestmark = pytest.mark.xdist_group("processes")

PROCESSES, THREADS, ROWS = 2, 4, 40
MORE_ROWS = """
import sys, uuid
from tests import quick
quick.set_up()
from django.core.management import call_command
from videos import services
from videos.models import Generation, User
call_command("migrate", interactive=False, verbosity=0)
ada, _ = User.objects.get_or_create(username="ada")
Generation.objects.all().delete()
for number in range(int(sys.argv[1])):
    services.submit(ada, services.Asked(prompt=f"film {number}", aspect_ratio="16:9"), uuid.uuid4())
"""


def raced(place, **settings) -> list[Counter]:
    """How often each row was claimed, and launched."""
    environ = place.environ | {name: str(value) for name, value in settings.items()}
    make = [sys.executable, "-c", MORE_ROWS, str(ROWS)]
    subprocess.run(make, cwd=ROOT, env=environ, check=True, timeout=PATIENCE)
    racers = [
        subprocess.Popen(
            [sys.executable, "-m", "tests.faults.racing", str(THREADS)],
            cwd=ROOT,
            env=environ,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(PROCESSES)
    ]
    for racer in racers:
        assert racer.stdout.readline() == "ready\n"
    for racer in racers:
        racer.stdin.write("go\n")
        racer.stdin.flush()
    said = [line.split() for racer in racers for line in racer.communicate(timeout=PATIENCE)[0].splitlines()]
    assert [racer.returncode for racer in racers] == [0] * PROCESSES
    return [Counter(pk for word, pk in said if word == which) for which in ("claimed", "launched")]


def test_one_of_many_workers_gets_a_row(place):
    claimed, launched = raced(place(), LUMA_MAX_IN_FLIGHT=1000, QUICK_LEASE=600)
    assert len(claimed) == len(launched) == ROWS
    assert set(claimed.values()) == {1}
    assert set(launched.values()) == {1}


def test_the_limit_holds_over_all_workers(place):
    _, launched = raced(place(), LUMA_MAX_IN_FLIGHT=7, QUICK_LEASE=600)
    assert sum(launched.values()) == 7
