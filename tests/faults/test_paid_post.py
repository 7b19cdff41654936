"""However often a form comes in, and however many workers look at its row: one row, one paid request."""

import re
import threading
import uuid

import pytest

from tests.people import request_fields
from tests.processes import wait_until
from videos.luma.schema import Running
from videos.models import Generation
from videos.services import submitting
from videos.states import State

PARALLEL = 20


@pytest.mark.django_db
@pytest.mark.parametrize("headers", [{}, {"HX-Request": "true"}], ids=["plain", "htmx"])
def test_a_double_click_back_and_a_refresh_make_one_row_and_one_post(ada, provider, work, headers):
    fields = request_fields(prompt="once", aspect_ratio="16:9")
    for _ in range(2):  # clicked twice
        ada.post("/generations/", fields, headers=headers)
    work()
    ada.post("/generations/", fields, headers=headers)  # back, and sent again, while it is out
    ada.get("/")
    work()
    ada.post("/generations/", fields, headers=headers)  # the browser sends it again on a refresh
    work()
    assert Generation.objects.count() == 1
    assert len(provider.created) == 1


@pytest.mark.django_db
def test_a_retry_clicked_twice_is_sent_once(ada, provider, work):
    provider.create = lambda body: (400, {}, '{"error": {"code": "bad_request", "message": "No."}}')
    ada.generate()
    work()
    provider.create = None
    failed, fields = ada.only(), {"submission": str(uuid.uuid4())}
    for _ in range(3):
        ada.post(f"/generations/{failed.pk}/retry/", fields)
        work()
    assert Generation.objects.count() == 2
    assert len(provider.created) == 2


def test_twenty_parallel_identical_posts_make_one_row_and_one_post(studio, demo):
    prompt = f"twenty at once {uuid.uuid4().hex[:6]}"
    fields = request_fields(prompt=prompt, aspect_ratio="16:9")
    page = demo.get("/").text
    fields["csrfmiddlewaretoken"] = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', page)[1]
    start, answers = threading.Barrier(PARALLEL), []

    def send() -> None:
        start.wait(20)
        answers.append(demo.session.post(f"{studio.url}/generations/", data=fields, timeout=60, allow_redirects=False))

    threads = [threading.Thread(target=send) for _ in range(PARALLEL)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert [answer.status_code for answer in answers] == [302] * PARALLEL
    assert len({answer.headers["Location"] for answer in answers}) == 1

    def row() -> list[dict]:
        return studio.rows("SELECT * FROM videos_generation WHERE prompt = ?", prompt)

    wait_until(lambda: row()[0]["state"] in ("processing", "completed"), "the request has been sent")
    assert len(row()) == 1
    assert len([post for post in studio.posts() if post["body"].get("prompt") == prompt]) == 1


# --- several workers ------------------------------------------------------------------------------


@pytest.mark.django_db
def test_what_comes_by_while_the_post_is_out_sends_nothing(ada, provider, work):
    def meanwhile(body):
        assert ada.only().state == State.SUBMITTING
        work(2)
        return {"task_id": "task-1"}

    provider.create = meanwhile
    ada.generate()
    work(2)
    assert len(provider.created) == 1
    assert ada.only().task_id == "task-1"


@pytest.mark.django_db
def test_of_two_workers_at_the_same_row_one_does_the_work(ada, provider, work, monkeypatch):
    """The second comes to the row between the first's look at it and its sending: the claim turns it away."""
    bodies, real = [], submitting._body

    def body(row):
        bodies.append(row.pk)
        if len(bodies) == 1:
            submitting._submit(row.pk)
        return real(row)

    monkeypatch.setattr(submitting, "_body", body)
    ada.generate()
    work()
    assert len(bodies) == 1
    assert len(provider.created) == 1


@pytest.mark.django_db
def test_a_worker_whose_claim_has_run_out_does_not_send_what_another_has_sent(ada, provider, work, monkeypatch):
    """Its frame took longer to upload than the claim holds, and meanwhile another worker has sent the row."""
    slow, real = [], submitting._body

    def body(row):
        if not slow:
            slow.append(row.pk)
            Generation.objects.update(next_check_at=row.created_at)
            work()
        return real(row)

    monkeypatch.setattr(submitting, "_body", body)
    ada.generate()
    work(2)
    assert len(provider.created) == 1
    assert ada.only().state == State.PROCESSING


@pytest.mark.django_db
def test_an_answer_to_one_who_lost_the_race_changes_nothing(ada, provider, work):
    """A worker that was taken for dead comes back with its answer after the callback has completed the row."""
    from tests.people import call_back
    from tests.provider import completed
    from videos.services import apply_result

    ada.generate()
    work()
    call_back(ada.only(), completed())
    assert apply_result(ada.only().pk, Running("task-1"), "answer") == "unchanged"
    assert ada.only().state == State.COMPLETED
