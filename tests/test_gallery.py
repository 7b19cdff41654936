"""Looking: the gallery, its pages, what changed since, one generation's page."""

import re
import uuid
from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests import rows as a_row
from tests.people import call_back, card, state_on
from tests.provider import completed, error
from videos.models import Generation
from videos.reading import MAYBE_CHARGED, TO_BE_CHANGED
from videos.states import State
from videos.views.gallery import read_cursor

pytestmark = pytest.mark.django_db
KEY = "6f802e71-1016-4748-a745-69930a7c9f68"
HTMX = {"HX-Request": "true"}


def make(owner, count, **fields):
    """So many generations, a second apart, the last one newest."""
    now = timezone.now()
    return Generation.objects.bulk_create(
        Generation(
            owner=owner,
            submission_key=uuid.uuid4(),
            prompt=f"film {number}",
            aspect_ratio="16:9",
            created_at=now - timedelta(seconds=count - number),
            **fields,
        )
        for number in range(count)
    )


def ids_on(page):
    return re.findall(r'<article[^>]*id="generation-([0-9a-f-]{36})"', page.content.decode())


def next_link(page):
    match = re.search(r'<a[^>]*rel="next"[^>]*href="([^"]+)"', page.content.decode()) or re.search(
        r'<a[^>]*href="([^"]+)"[^>]*rel="next"', page.content.decode()
    )
    return match[1].replace("&amp;", "&") if match else ""


def test_the_newest_comes_first_and_every_page_follows_without_gaps_or_repeats(ada):
    rows = make(ada.user, 60)
    seen, path = [], "/"
    while path:
        page = ada.get(path)
        seen += ids_on(page)
        path = "/" + next_link(page) if next_link(page) else ""
    assert seen == [str(row.pk) for row in reversed(rows)]


def every_kind(owner):
    """A card of each kind there is; their rows."""
    film = a_row.stored_video(owner)
    kinds = [film]
    for state in State:
        for fields in ({"start_frame": a_row.frame(owner)}, {"action": "extend", "source": film.video}):
            kinds.append(a_row.generation(owner, state, loop=True, trace_id="trace-1", **fields))
    for code in sorted(MAYBE_CHARGED | TO_BE_CHANGED):
        kinds.append(a_row.generation(owner, State.FAILED, error_code=code, error_message="No.", task_id=f"t-{code}"))
    lost = a_row.video(owner, thumbnail_url="https://cdn.provider.example/x.jpg", expired_at=timezone.now())
    deleted = a_row.generation(owner, State.COMPLETED, video=lost, aspect_ratio="", deleted_at=timezone.now())
    kinds.append(a_row.generation(owner, State.FAILED, action="extend", source=deleted.video))
    kinds.append(a_row.generation(owner, State.FAILED, action="extend", source_url="https://example.com/x.mp4"))
    kinds.append(a_row.generation(owner, State.COMPLETED, video=a_row.video(owner, expired_at=timezone.now())))
    return kinds


def test_no_kind_of_card_needs_another_query(ada):
    def queries(path):
        with CaptureQueriesContext(connection) as found:
            assert ada.get(path).status_code == 200
        return len(found)

    def poll(cards):
        return "/generations/live/?" + "&".join(f"seen={row.pk}:another" for row in cards)

    a_row.generation(ada.user, State.FAILED)
    alone = queries("/")
    kinds = every_kind(ada.user)
    path = "/"
    while path:
        assert queries(path) == alone
        path = "/" + next_link(ada.get(path)) if next_link(ada.get(path)) else ""
    # Their places in line are found together.
    assert queries(poll(kinds)) == queries(poll([row for row in kinds if row.state == State.QUEUED]))


def test_rows_of_the_same_instant_are_neither_lost_nor_repeated_at_a_page_break(ada):
    rows = make(ada.user, 30)
    Generation.objects.update(created_at=rows[0].created_at)
    first = ada.get("/")
    rest = ada.get("/" + next_link(first))
    assert len(set(ids_on(first) + ids_on(rest))) == 30


@pytest.mark.parametrize("cursor", ["", "x", "1_2", f"-1_{KEY}", "9" * 30 + f"_{KEY}", "１_x"])
def test_a_bad_cursor_shows_the_first_page(ada, cursor):
    make(ada.user, 2)
    assert len(ids_on(ada.get("/", data={"after": cursor}))) == 2


@given(st.text())
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=200)
def test_no_cursor_breaks_anything(text):
    read_cursor(text)
    read_cursor(f"{text}_{uuid.uuid4()}")


def test_an_anonymous_visitor_is_sent_to_the_login(client):
    answer = client.get("/")
    assert answer.status_code == 302
    assert answer["Location"] == "/accounts/login/?next=/"


def test_somebody_elses_and_deleted_ones_are_not_there(ada, bob):
    make(bob.user, 1)
    make(ada.user, 1, deleted_at=timezone.now())
    assert ids_on(ada.get("/")) == []


@pytest.mark.parametrize("count", [1, 24])
def test_a_page_takes_three_queries_however_many_cards_it_has(ada, count, django_assert_max_num_queries):
    make(ada.user, count)
    ada.get("/")
    with django_assert_max_num_queries(3):
        ada.get("/")


def test_htmx_gets_the_next_cards_alone_and_a_restored_history_the_whole_page(ada):
    make(ada.user, 30)
    path = "/" + next_link(ada.get("/"))
    part = ada.get(path, headers=HTMX)
    assert b"<html" not in part.content
    assert len(ids_on(part)) == 6
    assert "HX-Request" in part["Vary"]
    whole = ada.get(path, headers={**HTMX, "HX-History-Restore-Request": "true"})
    assert b"<html" in whole.content


def live(person, *rows):
    return person.get("/generations/live/", data={"seen": [f"{r.pk}:{r.stamp}" for r in rows]}, headers=HTMX)


def test_one_poller_gets_changed_cards_alone_then_silence_then_the_end(ada, provider, work):
    first, second = make(ada.user, 2, next_check_at=timezone.now())
    assert b"generation" in live(ada, first, second).content  # their places in line
    first.place, second.place = 1, 2
    assert live(ada, first, second).status_code == 204
    work()
    changed = live(ada, first, second)
    assert changed.status_code == 200
    assert changed.content.count(b'hx-swap-oob="true"') == 2
    call_back(first, completed("task-1", video_url="https://unlisted.example/x.mp4"))
    Generation.objects.filter(pk=second.pk).delete()
    first = ada.only()
    assert live(ada, first).status_code == 204  # completed, but not stored yet: it may still change
    ada.post(f"/generations/{first.pk}/delete/")
    assert live(ada, first).status_code == 286


def test_the_poller_tells_nothing_of_somebody_elses_cards(ada, bob):
    (row,) = make(bob.user, 1)
    answer = ada.get("/generations/live/", data={"seen": f"{row.pk}:other"}, headers=HTMX)
    assert answer.status_code == 286
    assert b"film 0" not in answer.content


@pytest.mark.parametrize("seen", ["", "x", ":", KEY, "\x00:\x00"])
def test_nonsense_in_the_poll_ends_it(ada, seen):
    assert ada.get("/generations/live/", data={"seen": seen}, headers=HTMX).status_code == 286


def test_a_card_holds_its_whole_prompt_escaped(ada):
    prompt = "<script>alert(1)</script> " + "long " * 900
    ada.generate(prompt)
    shown = card(ada.get("/"), ada.only())
    assert "<script>" not in shown
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in shown
    assert shown.count("long ") >= 899


def test_the_page_of_a_generation_shows_request_times_ids_and_code(ada, provider, work):
    ada.generate("the page", loop="on")
    work()
    call_back(ada.only(), completed("task-1", trace_id="trace-7", video_url="https://cdn.provider.example/a.mp4"))
    page = ada.get(f"/generations/{ada.only().pk}/").content.decode()
    for words in ("the page", "task-1", "trace-7", "video-of-task-1", "Asked", "Sent", "Accepted", "Notified"):
        assert words in page
    assert "Bearer {token}" in page
    assert "curl -X POST" in page
    assert ada.only().callback_token not in page
    assert "token-for-tests" not in page


def test_the_code_survives_quotes_of_every_kind(ada, provider, work):
    import subprocess

    prompt = """it's a "test" with `ticks`, $HOME, \\ and </script>"""
    ada.generate(prompt)
    work()
    from videos.reading import code_of

    code = code_of(ada.only())
    body = {}
    exec(  # the product's own words, run as a user would run them
        code["python"].replace("import requests", "").split("response =")[0], body
    )
    assert body["body"]["prompt"] == prompt
    shell = code["curl"].replace("curl -X POST", "printf '%s\\n'", 1)
    printed = subprocess.run(["sh", "-c", shell], capture_output=True, text=True, check=True).stdout
    assert '\\"test\\"' in printed
    assert "it's a" in printed
    assert "$HOME" in printed


def test_a_failed_one_can_be_tried_again_once_per_form(ada, provider, work):
    provider.create = lambda body: error(400, "bad_request", "The prompt is odd.")
    ada.generate("odd")
    work()
    first = ada.only()
    assert state_on(ada.get("/"), first) == "failed"
    assert "The prompt is odd." in card(ada.get("/"), first)
    submission = str(uuid.uuid4())
    for _ in range(2):
        ada.post(f"/generations/{first.pk}/retry/", {"submission": submission})
    assert Generation.objects.count() == 2
    again = Generation.objects.exclude(pk=first.pk).get()
    assert (again.prompt, again.state) == ("odd", "queued")


def test_a_running_one_can_not_be_retried(ada, provider, work):
    ada.generate()
    work()
    ada.post(f"/generations/{ada.only().pk}/retry/", {"submission": str(uuid.uuid4())})
    assert Generation.objects.count() == 1


def test_a_queued_one_that_is_deleted_is_never_sent(ada, provider, work):
    ada.generate()
    ada.post(f"/generations/{ada.only().pk}/delete/")
    work()
    assert provider.created == []
    assert state_on(ada.get("/"), ada.only()) == ""


def test_extend_shows_what_is_extended_and_sends_its_id(ada, provider, work):
    ada.generate("the source")
    work()
    call_back(ada.only(), completed("task-1"))
    source = ada.only()
    form = ada.get(f"/videos/{source.video.pk}/extend/")
    assert b"the source" in form.content
    ada.extend(source.video.pk, "onward", end_image_url="https://example.com/end.png")
    provider.accept("task-2")
    work()
    body = provider.created[-1]
    assert body["action"] == "extend"
    assert body["video_id"] == "video-of-task-1"
    assert body["end_image_url"] == "https://example.com/end.png"
    assert "aspect_ratio" not in body
    extension = Generation.objects.get(prompt="onward")
    assert extension.source == source.video


def test_a_strangers_video_can_not_be_extended(ada, bob, provider, work):
    ada.generate()
    work()
    call_back(ada.only(), completed())
    video = ada.only().video
    assert bob.get(f"/videos/{video.pk}/extend/").status_code == 404
    assert bob.extend(video.pk).status_code == 404
    assert bob.get(f"/generations/{ada.only().pk}/").status_code == 404
    assert Generation.objects.count() == 1


@pytest.mark.parametrize(
    "link", ["", "javascript:alert(1)", "ftp://example.com/x.mp4", "http://10.0.0.1/x.mp4", "http://[::1]/x.mp4"]
)
def test_a_bad_link_to_extend_is_named(ada, link):
    answer = ada.post("/generations/extend/", {"prompt": "on", "video_url": link, "submission": str(uuid.uuid4())})
    assert answer.status_code == 200
    assert b"video_url-error" in answer.content
    assert not Generation.objects.exists()


def test_extend_by_link_sends_the_link(ada, provider, work):
    fields = {"prompt": "on", "video_url": "https://films.example.com/x.mp4", "submission": str(uuid.uuid4())}
    assert ada.post("/generations/extend/", fields).status_code == 302
    work()
    assert provider.created[0]["video_url"] == "https://films.example.com/x.mp4"


def test_the_price_is_shown_only_where_it_is_set(ada, settings):
    assert b"0.40 USD" not in ada.get("/").content
    settings.LUMA_PRICE = ("0.40", "USD")
    assert b"0.40 USD" in ada.get("/").content


def test_with_many_cards_open_the_poll_sees_them_all_in_one_request(ada):
    rows = make(ada.user, 48)
    for place, row in enumerate(rows, start=1):
        row.place = place
    assert live(ada, *rows).status_code == 204


def test_a_videos_page_shows_its_extensions_but_not_the_deleted_ones(ada):
    film = a_row.stored_video(ada.user)
    shown, deleted = (
        a_row.generation(ada.user, State.FAILED, action="extend", source=film.video, prompt=prompt, deleted_at=at)
        for prompt, at in (("goes on", None), ("was deleted", timezone.now()))
    )
    page = ada.get(f"/generations/{film.pk}/").content.decode()
    assert f"/generations/{shown.pk}/" in page
    assert str(deleted.pk) not in page
