"""What holds up everybody is said on every page, by the page itself, at no cost to the gallery."""

import pytest
from django.utils import timezone

from tests import rows
from videos.models import Site
from videos.states import State

pytestmark = pytest.mark.django_db
PAGES = ["/", "/you/", "/frames/", "/generations/extend/", "/accounts/password/"]
STOPPED, USED_UP, NO_ACCESS = "has stopped new submissions", "balance is exhausted", "must check the API token"


def pause(code):
    Site.objects.update(paused_at=timezone.now(), paused_code=code, paused_message="The <b>account</b> is ill.")


def everywhere(person):
    made = rows.generation(person.user)
    return "\n".join(person.get(path).content.decode() for path in [*PAGES, f"/generations/{made.pk}/"])


def test_every_page_says_that_an_operator_has_stopped_submissions_until_they_go_on(ada, operator):
    assert 'class="banner"' not in everywhere(ada)
    operator.post("/admin/videos/site/1/change/", {"stopped": "on"}, page="/admin/")
    assert everywhere(ada).count(STOPPED) == len(PAGES) + 1
    operator.post("/admin/videos/site/1/change/", {}, page="/admin/")
    assert 'class="banner"' not in everywhere(ada)


@pytest.mark.parametrize(("code", "words"), [("used_up", USED_UP), ("invalid_token", NO_ACCESS), ("403", NO_ACCESS)])
def test_every_page_says_why_submissions_pause_and_operators_read_the_providers_words(ada, operator, code, words):
    pause(code)
    assert everywhere(ada).count(words) == len(PAGES) + 1
    assert "is ill" not in everywhere(ada)
    assert everywhere(operator).count("&lt;b&gt;account&lt;/b&gt; is ill") == len(PAGES) + 1


def test_who_is_not_signed_in_is_not_told(client):
    Site.objects.update(stopped=True)
    assert STOPPED not in client.get("/accounts/login/").content.decode()


def test_a_stop_goes_before_a_pause(ada):
    pause("used_up")
    Site.objects.update(stopped=True)
    assert STOPPED in everywhere(ada)
    assert USED_UP not in everywhere(ada)


@pytest.mark.parametrize("stopped", [False, True])
@pytest.mark.parametrize(("cards", "queries"), [(0, 4), (1, 3), (24, 3), (25, 3)])
def test_it_costs_the_gallery_no_query_and_an_empty_one_a_single_one(
    ada, stopped, cards, queries, django_assert_num_queries
):
    Site.objects.update(stopped=stopped)
    for _ in range(cards):
        rows.generation(ada.user, State.FAILED)
    with django_assert_num_queries(queries):
        page = ada.get("/").content.decode()
    assert (STOPPED in page) == stopped


def test_an_open_page_hears_of_a_change_and_of_nothing_else(ada):
    def strip(known):
        return ada.get("/status/", data={"hold_up": known}, headers={"HX-Request": "true"}).content.decode()

    assert 'id="hold-up"' not in strip("")
    Site.objects.update(stopped=True)
    assert STOPPED in strip("")
    assert 'id="hold-up"' not in strip("stopped")
    Site.objects.update(stopped=False)
    gone = strip("stopped")
    assert 'id="hold-up"' in gone
    assert "banner" not in gone
