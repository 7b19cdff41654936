"""A site in full work moves up: its people go on where they were, and nothing is paid for twice."""

from __future__ import annotations

import sqlite3
from contextlib import closing

import pytest
import requests

from tests import ground, pictures
from tests.studio import Studio, Visitor

pytestmark = pytest.mark.service


@pytest.fixture
def studio(tmp_path, monkeypatch):
    """A studio in sandbox mode, on SQLite and files whatever the other tests stand on."""
    monkeypatch.setattr(ground, "SERVERS", False)
    studio = Studio(tmp_path, quick=True, QUICK_SANDBOX=1, LUMA_MAX_IN_FLIGHT=2, LUMA_CONFIRM_SECONDS=60)
    studio.start()
    yield studio
    if studio.process.poll() is None:
        studio.end()


def test_people_go_on_where_they_were_and_every_request_is_sent_once(studio, target):
    demo, ada = Visitor(studio), Visitor(studio, "")
    joined = ada.post(
        "/accounts/signup/",
        page="/accounts/signup/",
        username="ada",
        email="ada@example.com",
        password1="a-long-secret",
        password2="a-long-secret",
    )
    assert joined.status_code == 302
    made = ada.generate("a film [lost callback]", files={"start_image": pictures.upload()})
    film = ada.wait_for_video(made)
    failed = ada.generate("no film [fail]")
    ada.wait_for_state(failed, "failed")
    deleted = ada.generate("hidden [fail]")
    ada.wait_for_state(deleted, "failed")
    assert ada.post(f"/generations/{deleted}/delete/").status_code == 302
    running, lost = ada.generate("runs [slow]"), demo.generate("lost [slow]")
    for person, under_way in ((ada, running), (demo, lost)):
        person.wait_for_state(under_way, "processing")
    waiting = demo.generate("waits")
    assert demo.state(waiting) == "queued"
    assert studio.end() == 0

    # The answer of one was never seen; the provider finishes both meanwhile; the worker's silence has lasted.
    studio.rows(
        "UPDATE videos_generation SET state = 'unconfirmed', task_id = NULL, accepted_at = NULL"
        " WHERE prompt = 'lost [slow]'"
    )
    studio.rows("UPDATE videos_site SET worker_seen_at = '2000-01-01 00:00:00'")
    with closing(sqlite3.connect(studio.folder / "data" / "provider" / "sandbox.sqlite3")) as provider, provider:
        provider.execute("UPDATE tasks SET due_at = 0")
    studio.environ |= target.settings
    studio.manage("moveup", str(studio.folder / "data"))
    studio.start()

    # With the password, and with the session that was open.
    assert Visitor(studio, "ada", "a-long-secret").state(made) == "completed"
    assert ada.state(made) == "completed"
    assert ada.state(failed) == "failed"
    assert ada.card(deleted) == ""
    path = studio.rows("SELECT file FROM videos_video WHERE stored_at IS NOT NULL")[0]["file"]
    link = ada.get(f"/files/{path}")
    assert link.status_code == 302
    assert requests.get(link.headers["Location"], timeout=30).content == film
    assert requests.get(link.headers["Location"], headers={"Range": "bytes=0-3"}, timeout=30).content == film[:4]
    assert Visitor(studio, "").get(f"/files/{path}").status_code == 404
    extended = ada.extend(ada.extend_path(made), "and on")
    for person, card in ((ada, running), (demo, lost), (demo, waiting), (ada, extended)):
        person.wait_for_state(card, "completed")
    prompts = sorted(post["body"]["prompt"] for post in studio.posts())
    assert prompts == sorted(
        ["a film [lost callback]", "no film [fail]", "hidden [fail]", "runs [slow]", "lost [slow]", "waits", "and on"]
    )
    source = next(post["body"] for post in studio.posts() if post["body"]["prompt"] == "and on")
    assert source["action"] == "extend"
    # What is left of the old site would not send anything.
    assert studio.rows("SELECT stopped FROM videos_site") == [{"stopped": 1}]
    assert studio.rows("SELECT state FROM videos_generation WHERE prompt = 'waits'") == [{"state": "queued"}]
    assert "Traceback" not in studio.log()
