"""`manage.py sandbox`, as one runs it."""

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import requests

ROOT = Path(__file__).parents[2]


@pytest.fixture
def run(tmp_path):
    """Start the command in a process of its own, deaf to this machine's environment."""
    running = []

    def command(*arguments: str) -> subprocess.Popen:
        environment = {**os.environ, "DATA_DIR": str(tmp_path), "DJANGO_SETTINGS_MODULE": "lumasite.settings"}
        process = subprocess.Popen(
            [sys.executable, "manage.py", "sandbox", *arguments],
            cwd=ROOT,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        running.append(process)
        return process

    yield command
    for process in running:
        process.kill()
        process.communicate()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_tells_its_address_serves_and_ends_cleanly(run, tmp_path, number):
    process = run("--port", "0", "--quick", "--data", str(tmp_path / "elsewhere"))
    said = process.stdout.readline()
    url = said.split()[4]
    headers = {"Authorization": "Bearer any"}
    answer = requests.post(
        url + "/luma/videos", json={"prompt": "x [slow]", "async": True}, headers=headers, timeout=10
    )
    assert answer.status_code == 200

    process.send_signal(number)

    assert process.wait(10) == 0
    assert process.stderr.read() == ""
    assert (tmp_path / "elsewhere" / "sandbox.sqlite3").exists()


def test_a_port_in_use_is_said_plainly(run):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        _, said = run("--port", str(port)).communicate(timeout=20)

    assert f"can't start on 127.0.0.1:{port}" in said
    assert "Traceback" not in said


@pytest.mark.parametrize(
    ("arguments", "said"),
    [(("--port", "70000"), "not a port"), (("--chaos", "2"), "probability"), (("--seconds", "-1"), "negative")],
)
def test_nonsense_is_refused_in_words(run, arguments, said):
    process = run(*arguments)
    _, errors = process.communicate(timeout=20)

    assert process.returncode != 0
    assert said in errors
    assert "Traceback" not in errors
