"""Getting in and out, and what the site says of itself."""

import json
import re
from datetime import timedelta

import pytest
from django.core import mail
from django.utils import timezone

from tests.mails import deliver
from tests.people import Person
from tests.provider import error
from videos.models import Site, User

pytestmark = pytest.mark.django_db
SECRET = "a-long-secret"


def sign_in(name, password, next_=""):
    person = Person()
    fields = {"username": name, "password": password, "next": next_}
    return person, person.post("/accounts/login/", fields, page="/accounts/login/")


def test_sign_up_signs_in(settings):
    settings.SIGNUP_OPEN = True
    person = Person()
    fields = {"username": "new", "email": "n@example.com", "password1": SECRET, "password2": SECRET}
    answer = person.post("/accounts/signup/", fields, page="/accounts/signup/")
    assert answer["Location"] == "/"
    assert person.get("/").status_code == 200


def test_where_sign_up_is_closed_nobody_gets_in_and_the_page_says_whom_to_ask(settings):
    settings.SIGNUP_OPEN = False
    person = Person()
    page = person.get("/accounts/signup/")
    assert page.status_code == 403
    assert b"operator" in page.content
    answer = person.post("/accounts/signup/", {"username": "new", "password1": SECRET, "password2": SECRET})
    assert answer.status_code == 403
    assert not User.objects.exists()


def test_in_and_out(ada):
    person, answer = sign_in("ada", SECRET)
    assert answer["Location"] == "/"
    assert person.post("/accounts/logout/")["Location"] == "/accounts/login/"
    assert person.get("/").status_code == 302


@pytest.mark.parametrize("target", ["//evil.example", "/\\evil.example", "https://evil.example/", "javascript:a()"])
def test_signing_in_never_leads_elsewhere(ada, target):
    _, answer = sign_in("ada", SECRET, target)
    assert answer["Location"] == "/"


def test_the_session_gets_a_new_key_at_sign_in(ada):
    person = Person()
    person.get("/accounts/login/")
    before = person.client.cookies.get("sessionid")
    person.post("/accounts/login/", {"username": "ada", "password": SECRET}, page="/accounts/login/")
    assert before is None or person.client.cookies["sessionid"].value != before.value


def test_a_disabled_account_is_told_so_and_nobody_else_learns_of_it(ada):
    User.objects.filter(pk=ada.user.pk).update(is_active=False)
    assert b"has been disabled" in sign_in("ada", SECRET)[1].content
    wrong = sign_in("ada", "wrong")[1].content
    assert b"disabled" not in wrong
    assert ada.get("/").status_code == 302


def test_an_unknown_name_and_a_wrong_password_get_the_same_answer(ada):
    def words(answer):
        return re.sub(r'value="[^"]*"|"X-CSRFToken": "[^"]*"', "", answer.content.decode()).replace("nobody", "ada")

    assert words(sign_in("nobody", "wrong")[1]) == words(sign_in("ada", "wrong")[1])


def test_guessing_locks_out_the_guesser_alone(ada):
    guesser = Person()
    for _ in range(10):
        fields = {"username": "ada", "password": "wrong"}
        answer = guesser.post("/accounts/login/", fields, page="/accounts/login/", REMOTE_ADDR="203.0.113.9")
    assert answer.status_code == 429
    fields = {"username": "ada", "password": SECRET}
    still = guesser.post("/accounts/login/", fields, page="/accounts/login/", REMOTE_ADDR="203.0.113.9")
    assert still.status_code == 429
    own = Person().post("/accounts/login/", fields, page="/accounts/login/", REMOTE_ADDR="198.51.100.1")
    assert own.status_code == 302


def test_a_password_is_changed(ada):
    fields = {"old_password": SECRET, "new_password1": "another-secret-1", "new_password2": "another-secret-1"}
    assert ada.post("/accounts/password/", fields, page="/accounts/password/").status_code == 302
    assert sign_in("ada", "another-secret-1")[1].status_code == 302


def test_a_password_is_reset_by_mail_and_an_unknown_address_gets_the_same_answer(ada, settings):
    settings.MAIL_CONFIGURED = True
    person = Person()
    known = person.post("/accounts/reset/", {"email": "ada@example.com"}, page="/accounts/reset/")
    unknown = person.post("/accounts/reset/", {"email": "nobody@example.com"}, page="/accounts/reset/")
    assert (known.status_code, known["Location"]) == (unknown.status_code, unknown["Location"])
    deliver()
    assert len(mail.outbox) == 1
    path = re.search(r"https?://[^/]+(/accounts/reset/\S+)", mail.outbox[0].body)[1]
    form = person.get(path)["Location"]
    fields = {"new_password1": "another-secret-1", "new_password2": "another-secret-1"}
    assert person.post(form, fields, page=form).status_code == 302
    assert sign_in("ada", "another-secret-1")[1].status_code == 302


def test_without_a_mail_server_the_reset_page_says_whom_to_ask(settings):
    settings.MAIL_CONFIGURED = False
    page = Person().get("/accounts/reset/")
    assert page.status_code == 200
    assert b"operator" in page.content


def health(client):
    answer = client.get("/healthz/")
    return answer.status_code, json.loads(answer.content)


def test_healthz_says_when_the_worker_is_dead(client, db):
    assert health(client)[0] == 503
    Site.objects.update(worker_seen_at=timezone.now())
    status, found = health(client)
    assert status == 200
    assert found["status"] == "ok"
    Site.objects.update(worker_seen_at=timezone.now() - timedelta(minutes=4))
    assert health(client)[1]["worker"] == "dead"


def test_healthz_says_whether_submissions_pause_and_the_provider_answers(client, ada, provider, work):
    Site.objects.update(worker_seen_at=timezone.now())
    provider.create = lambda body: error(403, "used_up", "No balance.")
    ada.generate()
    work()
    found = health(client)[1]
    assert (found["submissions"], found["provider"]) == ("paused", "ok")


def test_the_strip_says_that_submissions_are_stopped_and_what_is_left_today(ada, operator, settings, provider, work):
    settings.GENERATIONS_PER_DAY = 7
    assert b"7 " in ada.get("/status/").content
    operator.post("/admin/videos/site/1/change/", {"stopped": "on"}, page="/admin/")
    assert b"stopped" in ada.get("/status/").content
    ada.generate()
    work()
    assert provider.created == []
    operator.post("/admin/videos/site/1/change/", {}, page="/admin/")
    work()
    assert len(provider.created) == 1


def test_the_health_page_tells_operators_and_nobody_else(ada, operator, provider, work):
    provider.create = lambda body: error(403, "used_up", "No balance left.")
    ada.generate()
    work()
    page = operator.get("/admin/videos/site/")
    assert page.status_code == 200
    assert b"No balance left." in page.content
    assert ada.get("/admin/videos/site/").status_code == 302


def test_the_self_test_calls_the_callback_address_from_outside(operator, live_server, settings):
    settings.PUBLIC_BASE_URL = live_server.url
    operator.post("/admin/videos/site/", page="/admin/")
    assert b"reaches this site" in operator.get("/admin/videos/site/").content
    settings.PUBLIC_BASE_URL = "http://127.0.0.1:9"
    operator.post("/admin/videos/site/", page="/admin/")
    assert b"can&#x27;t be reached" in operator.get("/admin/videos/site/").content
