"""Django's admin, as operators and view-only staff see it."""

from __future__ import annotations

import json
import re
from datetime import timedelta

import pytest
from django.contrib.auth.models import Permission
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from huey.contrib.djhuey import HUEY

from tests import rows
from tests.people import Person
from videos.models import Callback, Frame, Generation, Site, User, Video
from videos.states import State

pytestmark = pytest.mark.django_db

LISTS = ["generation", "video", "frame", "callback", "site", "user"]
READ_ONLY = {"generation": Generation, "video": Video, "frame": Frame, "callback": Callback}
HOSTILE = "<script>alert(1)</script>"


def admin(model: str, rest: str = "") -> str:
    return f"/admin/videos/{model}/{rest}"


@pytest.fixture
def rows_of_all(ada) -> Generation:
    """One row of each kind at least; answers a finished generation."""
    done = rows.stored_video(ada.user, prompt=f"a fox {HOSTILE}", task_id="task-1", trace_id="trace-1")
    frame = rows.frame(ada.user)
    body = {"prompt": "a fox", "callback_url": f"https://studio.example.com/callbacks/luma/{done.callback_token}/"}
    Generation.objects.filter(pk=done.pk).update(request_body=body, sent_at=timezone.now(), start_frame=frame)
    for state in State:
        rows.generation(ada.user, state, prompt=f"another {state}", task_id=f"task-{state}")
    raw = json.dumps({"task_id": "task-1", "prompt": HOSTILE}).encode() + b"\x00\xff"
    Callback.objects.create(generation=done, outcome="applied", task_id="task-1", trace_id="trace-1", body=raw)
    return Generation.objects.get(pk=done.pk)


@pytest.fixture
def watcher() -> Person:
    """Staff who may look at all of ours, and change none of it."""
    user = User.objects.create_user("watcher", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(content_type__app_label="videos", codename__startswith="view"))
    return Person(user)


def pages() -> list[str]:
    """The address of every list and of every row."""
    found = [admin(model) for model in LISTS]
    kinds = {**READ_ONLY, "site": Site, "user": User}
    return found + [
        admin(model, f"{row.pk}/{what}/")
        for model, kind in kinds.items()
        for row in kind.objects.all()
        for what in ("change", "history")
    ]


# --- looking --------------------------------------------------------------------------------------


@pytest.mark.parametrize("who", ["operator", "watcher"])
def test_every_page_opens_and_neither_tells_a_token_nor_runs_what_people_wrote(who, request, rows_of_all):
    person = request.getfixturevalue(who)
    tokens = list(Generation.objects.values_list("callback_token", flat=True))
    for path in pages():
        answer = person.get(path)
        assert answer.status_code == 200, path
        page = answer.content.decode()
        assert not [token for token in tokens if token in page], path
        assert HOSTILE not in page, path


def test_others_are_sent_to_sign_in(ada, rows_of_all):
    for path in pages():
        answer = ada.get(path)
        assert (answer.status_code, answer["Location"].partition("?")[0]) == (302, "/admin/login/"), path


def test_a_raw_callback_is_shown_as_text_whatever_it_holds(operator, rows_of_all):
    notice = Callback.objects.get()
    for path in (admin("callback", f"{notice.pk}/change/"), admin("generation", f"{rows_of_all.pk}/change/")):
        page = operator.get(path).content.decode()
        assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
        assert r"\x00\xff" in page
        assert "\x00" not in page


def test_a_callback_that_repeats_our_address_does_not_give_the_token_away(operator, rows_of_all):
    address = f"https://studio.example.com/callbacks/luma/{rows_of_all.callback_token}/"
    Callback.objects.update(body=json.dumps({"request": {"callback_url": address}}).encode())
    for path in (
        admin("callback", f"{Callback.objects.get().pk}/change/"),
        admin("generation", f"{rows_of_all.pk}/change/"),
    ):
        page = operator.get(path).content.decode()
        assert "callback_url" in page
        assert rows_of_all.callback_token not in page


def test_a_generation_shows_its_picture_request_and_callbacks(operator, rows_of_all):
    page = operator.get(admin("generation", f"{rows_of_all.pk}/change/")).content.decode()
    assert f'src="{rows_of_all.video.poster_url}"' in page
    assert "&quot;prompt&quot;: &quot;a fox&quot;" in page
    link = admin("callback") + f"?generation__id__exact={rows_of_all.pk}"
    assert link in page
    assert operator.get(link).context["cl"].result_count == 1


def test_pictures_stand_in_the_lists(operator, rows_of_all):
    video, frame = Video.objects.get(pk=rows_of_all.video_id), Frame.objects.get()
    assert video.poster_url in operator.get(admin("generation")).content.decode()
    assert video.poster_url in operator.get(admin("video")).content.decode()
    assert f"/files/{frame.file.name}" in operator.get(admin("frame")).content.decode()


def test_links_to_files_lead_to_where_files_are_served(operator, rows_of_all):
    for model, row in (("video", rows_of_all.video), ("frame", Frame.objects.get())):
        page = operator.get(admin(model, f"{row.pk}/change/")).content.decode()
        links = [link for link in re.findall(r'href="([^"]+)"', page) if row.file.name in link]
        assert links
        for link in links:
            # Never a link to the bucket: that one would open for everybody.
            assert link.startswith("/files/")
            assert operator.film(link)


# --- finding --------------------------------------------------------------------------------------


def found(person: Person, model: str, query: str) -> list[str]:
    answer = person.get(admin(model) + query)
    assert answer.status_code == 200
    return [str(row.pk) for row in answer.context["cl"].queryset]


@pytest.mark.parametrize("words", ["a fox", "task-1", "trace-1", "video-of-it"])
def test_a_generation_is_found_by_prompt_task_trace_and_video(words, operator, rows_of_all):
    Video.objects.filter(pk=rows_of_all.video_id).update(video_id="video-of-it")
    assert found(operator, "generation", f"?q={words}") == [str(rows_of_all.pk)]


@pytest.mark.parametrize("words", ["task-1", "a fox", "video-of-it"])
def test_a_video_is_found_by_task_prompt_and_its_id(words, operator, rows_of_all):
    Video.objects.filter(pk=rows_of_all.video_id).update(video_id="video-of-it")
    assert found(operator, "video", f"?q={words}") == [str(rows_of_all.video_id)]


@pytest.mark.parametrize("words", ["task-1", "trace-1"])
def test_a_callback_is_found_by_task_and_trace(words, operator, rows_of_all):
    assert len(found(operator, "callback", f"?q={words}")) == 1
    assert found(operator, "callback", "?q=other") == []


def test_a_callback_is_found_by_its_generation(operator, rows_of_all):
    assert len(found(operator, "callback", f"?q={rows_of_all.pk}")) == 1


@pytest.mark.parametrize("model", LISTS)
@pytest.mark.parametrize("words", ["%00", "%ED%A0%80", "'; --", "x" * 500, "%25", "🦊"])
def test_no_search_breaks_a_list(model, words, operator, rows_of_all):
    assert operator.get(admin(model) + f"?q={words}").status_code in (200, 302)


def test_generations_are_filtered_by_state_action_and_owner(operator, ada, bob, rows_of_all):
    everything = Generation.objects.count()
    assert len(found(operator, "generation", "?state__exact=failed")) == 1
    assert len(found(operator, "generation", "?action__exact=generate")) == everything
    assert found(operator, "generation", "?action__exact=extend") == []
    other = rows.generation(bob.user)
    assert len(found(operator, "generation", f"?owner__id__exact={ada.user.pk}")) == everything
    assert found(operator, "generation", f"?owner__id__exact={bob.user.pk}") == [str(other.pk)]


def test_videos_are_filtered_by_whether_they_are_home(operator, rows_of_all):
    assert found(operator, "video", "?stored_at__isempty=0") == [str(rows_of_all.video_id)]
    assert len(found(operator, "video", "?stored_at__isempty=1")) == 1


@pytest.mark.parametrize("model", ["generation", "video", "frame", "callback"])
def test_a_long_list_asks_the_database_no_more_often_than_a_short_one(model, operator, ada, rows_of_all):
    counts = []
    for _ in range(2):
        with CaptureQueriesContext(connection) as queries:
            assert operator.get(admin(model)).status_code == 200
        counts.append(len(queries))
        for _ in range(5):
            one = rows.stored_video(ada.user)
            Generation.objects.filter(pk=one.pk).update(start_frame=rows.frame(ada.user))
            rows.generation(ada.user, start_frame=rows.frame(ada.user))
            Callback.objects.create(generation=one, outcome="applied")
    assert counts[0] == counts[1] < 20


# --- nothing that happened is rewritten -----------------------------------------------------------


@pytest.mark.parametrize("model", READ_ONLY)
def test_what_happened_is_not_added_changed_or_deleted(model, operator, rows_of_all):
    row = READ_ONLY[model].objects.first()
    before = list(READ_ONLY[model].objects.order_by("pk").values())
    assert operator.get(admin(model, "add/")).status_code == 403
    assert operator.get(admin(model, f"{row.pk}/delete/")).status_code == 403
    assert operator.post(admin(model, f"{row.pk}/delete/"), {"post": "yes"}, page="/admin/").status_code == 403
    assert operator.post(admin(model, "add/"), {"prompt": "x"}, page="/admin/").status_code == 403
    change = admin(model, f"{row.pk}/change/")
    assert operator.post(change, {"prompt": "x", "state": "failed"}, page="/admin/").status_code == 403
    selected = {"action": "delete_selected", "_selected_action": [str(row.pk)], "post": "yes"}
    operator.post(admin(model), selected, page="/admin/")
    assert list(READ_ONLY[model].objects.order_by("pk").values()) == before
    page = operator.get(change).content.decode()
    assert not re.search(
        r'<(input|select|textarea)[^>]*name="(?!csrf|callbacks-)[^"]*"', page.partition('id="content-main"')[2]
    )


def test_the_stop_switch_is_one_row_that_an_operator_may_throw(operator):
    assert operator.get(admin("site", "add/")).status_code == 403
    assert operator.get(admin("site", "1/delete/")).status_code == 403
    assert (
        operator.post(admin("site", "1/change/"), {"stopped": "on", "paused_code": "x"}, page="/admin/").status_code
        == 302
    )
    site = Site.objects.get()
    assert (site.stopped, site.paused_code) == (True, "")


def test_an_operator_gives_a_user_another_limit(operator, ada):
    page = operator.get(admin("user", f"{ada.user.pk}/change/"))
    assert 'name="generations_per_day"' in page.content.decode()


# --- steering -------------------------------------------------------------------------------------


def act(person: Person, action: str, *generations: Generation):
    selected = {"action": action, "_selected_action": [str(row.pk) for row in generations]}
    return person.post(admin("generation"), selected, page="/admin/", follow=True)


def said(answer) -> str:
    return " ".join(str(message) for message in answer.context["messages"])


def of(state: State) -> Generation:
    return Generation.objects.get(prompt=f"another {state}")


def test_ask_now_makes_the_provider_be_asked_about_running_ones(operator, rows_of_all):
    Generation.objects.update(next_check_at=timezone.now() + timedelta(minutes=10))
    chosen = [of(State.PROCESSING), of(State.UNCONFIRMED), of(State.COMPLETED), of(State.QUEUED)]
    answer = act(operator, "ask_now", *chosen)
    assert "2 generations taken up. It makes no sense for 2." in said(answer)
    due = set(Generation.objects.due(timezone.now()).values_list("state", flat=True))
    assert due == {State.PROCESSING, State.UNCONFIRMED}


def test_ask_now_asks_about_failed_ones_that_were_sent(operator, rows_of_all):
    failed = of(State.FAILED)
    assert "It makes no sense for 1." in said(act(operator, "ask_now", failed))
    Generation.objects.filter(pk=failed.pk).update(sent_at=timezone.now())
    assert "1 generation taken up." in said(act(operator, "ask_now", failed))
    failed.refresh_from_db()
    assert failed.state == State.FAILED
    assert failed.next_check_at <= timezone.now()


def test_store_again_fetches_also_what_was_given_up(operator, rows_of_all):
    given_up = of(State.COMPLETED)
    Video.objects.filter(pk=given_up.video_id).update(expired_at=timezone.now(), store_tries=9, store_error="gone")
    answer = act(operator, "store_again", given_up, rows_of_all, of(State.PROCESSING))
    assert "2 generations taken up. It makes no sense for 1." in said(answer)
    for row in (given_up, rows_of_all):
        row.refresh_from_db()
        video = Video.objects.get(pk=row.video_id)
        assert (video.stored_at, video.expired_at, video.store_tries, video.store_error) == (None, None, 0, "")
        assert row.state == State.COMPLETED
        assert row.next_check_at <= timezone.now()


def test_mark_failed_ends_open_ones_alone(operator, rows_of_all):
    chosen = list(Generation.objects.filter(prompt__startswith="another"))
    answer = act(operator, "mark_failed", *chosen)
    assert "4 generations taken up. It makes no sense for 2." in said(answer)
    ended = Generation.objects.filter(error_code="marked_failed")
    assert ended.count() == 4
    assert set(ended.values_list("state", "next_check_at")) == {(State.FAILED, None)}
    assert of(State.COMPLETED).video is not None


@pytest.mark.parametrize("action", ["ask_now", "store_again", "mark_failed"])
def test_staff_who_may_only_look_steer_nothing(action, watcher, rows_of_all):
    before = list(Generation.objects.order_by("pk").values())
    act(watcher, action, *Generation.objects.all())
    assert list(Generation.objects.order_by("pk").values()) == before
    assert f'value="{action}"' not in watcher.get(admin("generation")).content.decode()


def test_staff_who_may_change_generations_steer_them(watcher, rows_of_all):
    watcher.user.user_permissions.add(Permission.objects.get(codename="change_generation"))
    assert "1 generation taken up." in said(act(watcher, "mark_failed", of(State.PROCESSING)))


@pytest.mark.django_db(transaction=True)
def test_steering_wakes_the_worker(operator, ada):
    row = rows.generation(ada.user, State.PROCESSING, task_id="task-1")
    HUEY.flush()
    act(operator, "ask_now", row)
    assert str(row.pk) in str([task.args for task in HUEY.pending()])
