"""The sandbox killed in the middle of its work, and started again."""

import os
import signal
import subprocess
import sys

import requests

from tests.sandbox.conftest import until
from videos.sandbox.ledger import Ledger

KILLED = """
import sys, time
from videos.sandbox.server import Sandbox
print(Sandbox(sys.argv[1], seconds=float(sys.argv[2]), quick=True).start().url, flush=True)
time.sleep(60)
"""


def killed_after(data_dir, seconds, posts):
    """Run a sandbox in a process of its own, send it requests, and kill it as soon as it has answered."""
    command = [sys.executable, "-c", KILLED, str(data_dir), str(seconds)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        url = process.stdout.readline().strip()
        for body in posts:
            requests.post(url + "/luma/videos", json=body, headers={"Authorization": "Bearer any"}, timeout=10)
        os.kill(process.pid, signal.SIGKILL)


def test_unfinished_tasks_are_finished_and_called_back_after_a_kill(start, receiver, tmp_path):
    body = {"prompt": "a cat", "callback_url": receiver.url}
    killed_after(tmp_path / "provider", 60, [body, body, body])
    ledger = Ledger(tmp_path / "provider" / "sandbox.sqlite3")
    assert len(ledger.unfinished()) == 3
    assert receiver.seen == []
    # Nobody wants to wait a minute: say that they were due long ago.
    ledger._run("UPDATE tasks SET due_at = 0")

    client = start()

    until(lambda: len(receiver.seen) == 3)
    assert client.sandbox.ledger.charges() == {receiver.url: 3}
    assert len({told["task_id"] for told in receiver.seen}) == 3
    assert all(told["success"] for told in receiver.seen)


def test_a_callback_owed_at_the_kill_is_sent_by_the_next_run(start, receiver, tmp_path):
    killed_after(tmp_path / "provider", 60, [{"prompt": "a cat", "callback_url": receiver.url}])
    ledger = Ledger(tmp_path / "provider" / "sandbox.sqlite3")
    task_id = ledger.unfinished()[0]
    ledger.finish_task(task_id, {"success": True, "task_id": task_id}, callbacks=1)

    client = start()

    until(lambda: receiver.seen)
    until(lambda: not client.sandbox.ledger.uncalled())
    assert [told["task_id"] for told in receiver.seen] == [task_id]
