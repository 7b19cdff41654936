"""Guessing passwords and names, sessions and their cookies, and a deployment's settings."""

from __future__ import annotations

import json
import os
import re
import secrets
import subprocess
import sys

import pytest
from django.contrib.auth.hashers import MD5PasswordHasher
from django.contrib.sessions.models import Session
from django.core import mail
from django.core.cache import cache
from django.db import connection
from django.test import Client, RequestFactory
from django.test.utils import CaptureQueriesContext
from huey.contrib.djhuey import HUEY

from lumasite.clients import UNKNOWN, address
from tests import environment
from tests.mails import deliver
from tests.people import Person
from tests.processes import ROOT
from videos.models import User
from videos.services import mailing

pytestmark = pytest.mark.django_db

SECRET = "a-long-secret"
PROXY = "10.0.0.2"
GUESSER, OWNER = "203.0.113.9", "198.51.100.1"


@pytest.fixture(autouse=True)
def _nobody_has_asked_yet():
    cache.clear()


def sign_in(name: str, password: str, path: str = "/accounts/login/", **meta: str):
    person = Person()
    return person, person.post(path, {"username": name, "password": password}, page=path, **meta)


# --- guessing -------------------------------------------------------------------------------------


def behind_a_proxy(client: str, forged: str = "") -> dict[str, str]:
    """What a proxy such as nginx makes of a client's request: it adds the address that it sees."""
    return {"REMOTE_ADDR": PROXY, "HTTP_X_FORWARDED_FOR": ", ".join(filter(None, [forged, client]))}


@pytest.mark.parametrize("path", ["/accounts/login/", "/admin/login/"])
@pytest.mark.parametrize("forging", [False, True], ids=["honest", "forging addresses"])
def test_behind_a_proxy_a_guesser_locks_out_nobody_but_himself(operator, settings, path, forging):
    settings.TRUSTED_PROXIES = 1
    answers = [
        sign_in("op", f"guess {number}", path, **behind_a_proxy(GUESSER, f"192.0.2.{number}" if forging else ""))[1]
        for number in range(12)
    ]
    assert [answer.status_code for answer in answers[:9]] == [200] * 9
    assert {answer.status_code for answer in answers[9:]} == {429}
    # Not even with the right password, nor by pretending to be its owner.
    assert sign_in("op", SECRET, path, **behind_a_proxy(GUESSER))[1].status_code == 429
    assert sign_in("op", SECRET, path, **behind_a_proxy(GUESSER, OWNER))[1].status_code == 429
    assert sign_in("op", SECRET, path, **behind_a_proxy(OWNER))[1].status_code == 302


def test_the_guessers_other_names_are_not_locked_by_what_he_did_to_one(ada, bob, settings):
    """An office shares one address: its people are not locked out by one of them."""
    for _ in range(11):
        sign_in("ada", "wrong", REMOTE_ADDR=GUESSER)
    assert sign_in("bob", SECRET, REMOTE_ADDR=GUESSER)[1].status_code == 302


@pytest.mark.parametrize(
    ("proxies", "forwarded", "expected"),
    [
        (0, None, PROXY),
        (0, OWNER, PROXY),
        (1, OWNER, OWNER),
        (1, f"{GUESSER}, {OWNER}", OWNER),
        (1, f"junk, {OWNER}:4711", OWNER),
        (1, "[2001:db8::1]:443", "2001:db8::1"),
        (1, "2001:db8::1", "2001:db8::1"),
        (1, "fe80::1%eth0", "fe80::1"),
        (1, None, PROXY),
        (1, "", PROXY),
        (1, "junk", PROXY),
        (1, f"{OWNER}, ", PROXY),
        (2, f"{OWNER}, 10.0.0.3", OWNER),
        (2, f"{GUESSER}, {OWNER}, 10.0.0.3", OWNER),
        (2, OWNER, OWNER),
    ],
)
def test_the_clients_address_is_what_our_own_proxies_saw(settings, proxies, forwarded, expected):
    settings.TRUSTED_PROXIES = proxies
    told = {} if forwarded is None else {"HTTP_X_FORWARDED_FOR": forwarded}
    assert address(RequestFactory().get("/", REMOTE_ADDR=PROXY, **told)) == expected


def test_without_any_address_there_is_one_all_the_same():
    """Behind a socket of the file system nobody has an address; a database takes no other word for one."""
    assert address(RequestFactory().get("/", REMOTE_ADDR="")) == UNKNOWN


# --- names ----------------------------------------------------------------------------------------


def words(answer) -> str:
    return re.sub(r'value="[^"]*"|"X-CSRFToken": "[^"]*"', "", answer.content.decode())


@pytest.mark.parametrize("path", ["/accounts/login/", "/admin/login/"])
def test_signing_in_does_not_tell_which_names_there_are(ada, path):
    User.objects.create_user("disabled", password=SECRET, is_active=False)
    told = {words(sign_in(name, "wrong", path)[1]).replace(name, "?") for name in ("ada", "nobody", "disabled")}
    assert len(told) == 1
    assert "disabled" not in told.pop()


def test_a_wrong_password_costs_as_much_time_as_an_unknown_name(ada, monkeypatch):
    """Hashing is what takes the time: it is done as often for the one as for the other."""
    hashed = []
    real = MD5PasswordHasher.encode
    monkeypatch.setattr(MD5PasswordHasher, "encode", lambda self, *rest: hashed.append(1) or real(self, *rest))
    counts = []
    User.objects.create_user("disabled", password=SECRET, is_active=False)
    for name in ("ada", "nobody", "disabled"):
        hashed.clear()
        sign_in(name, "wrong")
        counts.append(len(hashed))
    assert len(set(counts)) == 1, counts


def test_the_lock_does_not_tell_which_names_there_are(ada):
    told = []
    for name in ("ada", "nobody"):
        answers = [sign_in(name, "wrong", REMOTE_ADDR=GUESSER)[1] for _ in range(11)]
        told.append([(answer.status_code, words(answer).replace(name, "?")) for answer in answers])
    assert told[0] == told[1]


def test_asking_for_a_new_password_does_not_tell_which_addresses_there_are(ada, settings):
    settings.MAIL_CONFIGURED = True
    User.objects.create_user("disabled", "disabled@example.com", SECRET, is_active=False)
    told = set()
    for email in ("ada@example.com", "nobody@example.com", "disabled@example.com", "ada@EXAMPLE.com"):
        person = Person()
        answer = person.post("/accounts/reset/", {"email": email}, page="/accounts/reset/")
        told.add((answer.status_code, answer["Location"], words(person.get(answer["Location"]))))
    assert len(told) == 1
    deliver()
    assert {recipient for message in mail.outbox for recipient in message.to} == {"ada@example.com"}


def ask_for_mail(email: str, client: str = GUESSER, **headers: str):
    person = Person()
    answer = person.post("/accounts/reset/", {"email": email}, page="/accounts/reset/", REMOTE_ADDR=client, **headers)
    return answer.status_code, answer["Location"], person.get(answer["Location"]).status_code


def test_asking_for_a_new_password_takes_the_same_time_for_all_addresses(ada, settings, monkeypatch):
    """Looking a name up, making its secret and talking to a mail server is the worker's: the page does none of it."""
    settings.MAIL_CONFIGURED = True
    seen = []
    for email in ("ada@example.com", "nobody@example.com"):
        with CaptureQueriesContext(connection) as queries:
            ask_for_mail(email)
        seen.append([query["sql"] for query in queries if "videos_user" in query["sql"]])
        assert mail.outbox == []
        assert [task.name for task in HUEY.pending()] == ["mail_reset"]
        deliver()
        mail.outbox.clear()
    assert seen == [[], []]


def test_nobody_is_flooded_with_mails(ada, settings):
    settings.MAIL_CONFIGURED = True
    told = [ask_for_mail(email, f"192.0.2.{number}") for number, email in enumerate(["ada@example.com"] * 6)]
    told += [ask_for_mail(email, "192.0.2.99") for email in ("ADA@example.com", "ada@EXAMPLE.com")]
    assert len(set(told)) == 1, "the answer does not tell that it was too much"
    deliver()
    assert len(mail.outbox) == mailing.RESETS_MOST


def test_nobody_mails_many(db, settings):
    settings.MAIL_CONFIGURED = True
    for number in range(30):
        User.objects.create_user(f"user{number}", f"user{number}@example.com", SECRET)
    told = {ask_for_mail(f"user{number}@example.com") for number in range(25)}
    assert len(told) == 1
    deliver()
    assert len(mail.outbox) == mailing.CLIENT_RESETS_MOST
    assert ask_for_mail("user29@example.com", OWNER) in told
    assert deliver() == 1
    assert len(mail.outbox) == mailing.CLIENT_RESETS_MOST + 1


def test_an_hour_later_one_may_ask_again(ada, settings, clock):
    settings.MAIL_CONFIGURED = True
    # Redis has a clock of its own.
    settings.CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache", "LOCATION": "hour"}}
    for _ in range(8):
        ask_for_mail("ada@example.com")
    clock.shift(mailing.WINDOW_SECONDS + 1)
    ask_for_mail("ada@example.com")
    deliver()
    assert len(mail.outbox) == mailing.RESETS_MOST + 1


def test_the_mail_speaks_the_language_of_whoever_asked(ada, settings):
    settings.MAIL_CONFIGURED = True
    ask_for_mail("ada@example.com", headers={"Accept-Language": "zh-hans"})
    deliver()
    assert "密码" in mail.outbox[0].subject + mail.outbox[0].body


def test_without_the_queue_one_is_told_so_whoever_one_is(ada, settings, monkeypatch):
    settings.MAIL_CONFIGURED = True

    def down(*args):
        raise ConnectionError("the queue is away")

    monkeypatch.setattr(HUEY, "enqueue", down)
    told = set()
    for email in ("ada@example.com", "nobody@example.com"):
        answer = Person().post("/accounts/reset/", {"email": email}, page="/accounts/reset/")
        assert b"No mail could be sent just now" in answer.content
        told.add(words(answer))
    assert len(told) == 1


def test_a_mail_with_a_new_password_leads_to_this_site_alone(ada, settings):
    settings.MAIL_CONFIGURED = True
    settings.ALLOWED_HOSTS = ["studio.example.com"]
    person = Person()
    for headers in ({"Host": "evil.example"}, {"Host": "studio.example.com", "X-Forwarded-Host": "evil.example"}):
        person.client.get("/accounts/reset/", headers={"Host": "studio.example.com"})
        token = person.client.cookies["csrftoken"].value
        fields = {"email": "ada@example.com", "csrfmiddlewaretoken": token}
        person.client.post("/accounts/reset/", fields, headers=headers)
    deliver()
    assert len(mail.outbox) == 1
    assert "evil" not in mail.outbox[0].body
    link = re.search(r"/accounts/reset/\S+", mail.outbox[0].body)[0]
    form = person.client.get(link, headers={"Host": "studio.example.com"})["Location"]
    assert re.search(r"/accounts/reset/\w+/", link)[0] in form
    assert link not in form, "the secret of the link is not in the address of the form"


def test_a_link_for_a_new_password_works_once(ada, settings):
    settings.MAIL_CONFIGURED = True
    Person().post("/accounts/reset/", {"email": "ada@example.com"}, page="/accounts/reset/")
    deliver()
    link = re.search(r"https?://[^/]+(/accounts/reset/\S+)", mail.outbox[0].body)[1]
    person, new = Person(), "another-secret-1"
    form = person.get(link)["Location"]
    assert person.post(form, {"new_password1": new, "new_password2": new}, page=form).status_code == 302
    assert Person().get(link).status_code == 200, "the page that says that the link is used up"


# --- sessions -------------------------------------------------------------------------------------


def test_a_session_planted_before_signing_in_is_worth_nothing_after(ada):
    planted = Client()
    session = planted.session
    session["planted"] = "x"
    session.save()
    person = Person()
    person.client.cookies["sessionid"] = session.session_key
    fields = {"username": "ada", "password": SECRET}
    assert person.post("/accounts/login/", fields, page="/accounts/login/").status_code == 302
    key = person.client.cookies["sessionid"].value
    assert key != session.session_key
    thief = Client()
    thief.cookies["sessionid"] = session.session_key
    assert thief.get("/").status_code == 302
    made_up = Client()
    made_up.cookies["sessionid"] = "x" * 32
    made_up.post("/accounts/login/", fields)
    assert not Session.objects.filter(session_key="x" * 32).exists()


def test_signing_out_and_a_new_password_end_sessions(ada):
    other = Person()
    other.post("/accounts/login/", {"username": "ada", "password": SECRET}, page="/accounts/login/")
    stolen = Client()
    stolen.cookies["sessionid"] = other.client.cookies["sessionid"].value
    assert stolen.get("/").status_code == 200
    new = {"old_password": SECRET, "new_password1": "another-secret-1", "new_password2": "another-secret-1"}
    ada.post("/accounts/password/", new, page="/accounts/password/")
    assert ada.get("/").status_code == 200, "who changed it stays"
    assert stolen.get("/").status_code == 302

    kept = Client()
    kept.cookies["sessionid"] = ada.client.cookies["sessionid"].value
    ada.post("/accounts/logout/")
    assert kept.get("/").status_code == 302


def test_a_disabled_account_is_out_at_once(ada):
    assert ada.get("/").status_code == 200
    User.objects.filter(pk=ada.user.pk).update(is_active=False)
    assert ada.get("/").status_code == 302


def test_nobody_makes_himself_an_operator(settings):
    settings.SIGNUP_OPEN = True
    extra = {"is_staff": "on", "is_superuser": "on", "generations_per_day": "0", "is_active": "on"}
    fields = {"username": "new", "password1": SECRET, "password2": SECRET, **extra}
    Person().post("/accounts/signup/", fields, page="/accounts/signup/")
    made = User.objects.get(username="new")
    assert (made.is_staff, made.is_superuser, made.generations_per_day) == (False, False, None)


# --- a deployment ---------------------------------------------------------------------------------

DEPLOYMENT = {
    "ACEDATACLOUD_API_TOKEN": "token",
    "PUBLIC_BASE_URL": "https://studio.example.com",
    "TRUSTED_PROXIES": "1",
    "DJANGO_SETTINGS_MODULE": "lumasite.settings",
}
ASK = """
import django, json
django.setup()
from django.conf import settings
from django.test import Client
names = ("SESSION_COOKIE_SECURE CSRF_COOKIE_SECURE SESSION_COOKIE_HTTPONLY SESSION_COOKIE_SAMESITE CSRF_COOKIE_SAMESITE"
         " SECURE_SSL_REDIRECT SECURE_HSTS_SECONDS DEBUG SIGNUP_OPEN ALLOWED_HOSTS").split()
found = {name: getattr(settings, name) for name in names}
plain = Client().get("/", headers={"Host": "studio.example.com"})
found["plain"] = [plain.status_code, plain["Location"]]
safe = Client().get("/", headers={"Host": "studio.example.com", "X-Forwarded-Proto": "https"})
found["safe"] = [safe.status_code, safe["Strict-Transport-Security"]]
print(json.dumps(found))
"""


@pytest.fixture
def deployed(tmp_path) -> dict[str, str]:
    environ = dict(os.environ)
    environment.clear(environ)
    environ.pop("DJANGO_ALLOW_ASYNC_UNSAFE", None)  # the tests' own
    return environ | DEPLOYMENT | {"DATA_DIR": str(tmp_path / "data"), "SECRET_KEY": secrets.token_urlsafe(64)}


def test_a_deployments_check_is_clean(deployed):
    words = [sys.executable, "manage.py", "check", "--deploy", "--fail-level", "WARNING"]
    done = subprocess.run(words, cwd=ROOT, env=deployed, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert "no issues" in done.stdout


def test_with_https_cookies_and_connections_are_safe(deployed):
    done = subprocess.run(
        [sys.executable, "-c", ASK], cwd=ROOT, env=deployed, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["SESSION_COOKIE_SECURE"] is True
    assert found["CSRF_COOKIE_SECURE"] is True
    assert found["SESSION_COOKIE_HTTPONLY"] is True
    assert found["SESSION_COOKIE_SAMESITE"] == found["CSRF_COOKIE_SAMESITE"] == "Lax"
    assert found["DEBUG"] is False
    assert found["SIGNUP_OPEN"] is False
    assert "*" not in found["ALLOWED_HOSTS"]
    assert found["plain"] == [301, "https://studio.example.com/"]
    assert found["safe"] == [302, "max-age=31536000; includeSubDomains; preload"]
