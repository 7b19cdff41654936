"""The provider refuses the account: everything waits, says why, and goes on by itself."""

import json
from html import unescape

import pytest

from tests.people import card, state_on
from tests.provider import error
from videos.models import Generation, Site
from videos.states import State

pytestmark = pytest.mark.django_db

PROBLEMS = [
    (401, "invalid_token"),
    (401, ""),
    (403, "disabled"),
    (403, "used_up"),
    (400, "token_mismatched"),
    (400, "invalid_token"),
    (400, "token_expired"),
    (400, "no_token"),
    (404, "no_api"),
]
SAID = "The <b>account</b> is ill."


@pytest.mark.parametrize(("status", "code"), PROBLEMS, ids=[f"{status}-{code}" for status, code in PROBLEMS])
def test_all_wait_are_told_why_and_go_on_by_themselves(ada, bob, operator, provider, work, clock, status, code):
    provider.create = lambda body: error(status, code, SAID)
    ada.generate("first")
    work()
    bob.generate("second")
    ada.generate("third")
    work(3)
    # One try told enough.
    assert [body["prompt"] for body in provider.created] == ["first"]
    assert set(Generation.objects.values_list("state", "sent_at")) == {(State.QUEUED, None)}
    told_to_everybody(ada, code)
    told_to_operators(operator, code)

    clock.shift(59)
    work()
    assert len(provider.created) == 1
    for probes in (2, 3):  # one row is tried every 60 s
        clock.shift(61)
        work(2)
        assert len(provider.created) == probes
        clock.shift(-1)

    accepted = []
    provider.create = lambda body: accepted.append(body["prompt"]) or {"task_id": f"task-{len(accepted)}"}
    clock.shift(62)
    work(2)
    assert sorted(accepted) == ["first", "second", "third"]
    assert set(Generation.objects.values_list("state", flat=True)) == {State.PROCESSING}
    assert set(Generation.objects.values_list("error_code", flat=True)) == {""}
    assert Site.objects.get().paused_at is None
    assert b"banner" not in ada.get("/status/").content


def told_to_everybody(ada, code: str) -> None:
    first = Generation.objects.get(prompt="first")
    page = ada.get("/")
    assert state_on(page, first) == "queued"
    words = unescape(card(page, first))
    assert "Your request is kept" in words
    assert ("balance" if code == "used_up" else "access") in words
    assert "<b>" not in card(page, first)
    strip = ada.get("/status/").content.decode()
    assert ("balance is exhausted" if code == "used_up" else "must check the API token") in strip
    assert "go out by themselves" in strip
    # The provider's words on the account are the operators' alone.
    assert "is ill" not in strip


def told_to_operators(operator, code: str) -> None:
    page = unescape(operator.get("/admin/videos/site/").content.decode())
    assert "Paused since" in page
    assert "everything goes on by itself" in page
    assert ("Top up the balance" if code == "used_up" else "ACEDATACLOUD_API_TOKEN") in page
    raw = operator.get("/admin/videos/site/").content.decode()
    assert "The &lt;b&gt;account&lt;/b&gt; is ill." in raw
    assert "is ill" in operator.get("/status/").content.decode()
    health = json.loads(operator.get("/healthz/").content)
    assert health["submissions"] == "paused"


def test_a_refused_request_ends_the_pause_as_well(ada, provider, work, clock):
    """Moderation judges requests of accounts that work."""
    provider.create = lambda body: error(403, "used_up")
    ada.generate("first")
    ada.generate("second")
    work()
    provider.create = lambda body: (
        error(403, "forbidden", "Not this.") if body["prompt"] == "first" else {"task_id": "task-1"}
    )
    clock.shift(61)
    work(2)
    assert dict(Generation.objects.values_list("prompt", "state")) == {"first": "failed", "second": "processing"}


def test_while_submissions_pause_what_is_out_is_still_followed(ada, provider, work, clock):
    ada.generate("out")
    work()
    provider.create = lambda body: error(401, "invalid_token")
    ada.generate("waiting")
    work()
    provider.task_completed("task-1")
    clock.shift(16)
    work()
    assert dict(Generation.objects.values_list("prompt", "state")) == {"out": "completed", "waiting": "queued"}


def test_what_is_deleted_while_it_waits_is_never_sent(ada, provider, work, clock):
    provider.create = lambda body: error(403, "used_up")
    ada.generate()
    work()
    ada.post(f"/generations/{ada.only().pk}/delete/")
    provider.create = None
    clock.shift(3600)
    work(2)
    assert len(provider.created) == 1
    assert ada.only().error_code == "cancelled"


REFUSALS = [(403, "forbidden", "Change the prompt or the frames"), (400, "bad_request", "Change the request")]


@pytest.mark.parametrize(("status", "code", "advice"), REFUSALS, ids=[code for _, code, _ in REFUSALS])
def test_a_refused_request_fails_in_the_providers_words_and_is_not_repeated(
    ada, provider, work, clock, status, code, advice
):
    provider.create = lambda body: error(status, code, 'Not <script>alert(1)</script> & "this".')
    ada.generate()
    for _ in range(5):
        work(2)
        clock.shift(3600)
    row = ada.only()
    assert (row.state, row.error_code) == (State.FAILED, code)
    for path in ("/", f"/generations/{row.pk}/"):
        page = ada.get(path).content.decode()
        assert "Not &lt;script&gt;alert(1)&lt;/script&gt; &amp; &quot;this&quot;." in page
        assert advice in page
        assert "<script>alert" not in page
    assert len(provider.created) == 1
    assert Site.objects.get().paused_at is None
