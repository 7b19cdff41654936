"""What an operator may set: documented, checked, and told what is wrong without telling secrets."""

from __future__ import annotations

import ast
import logging
import os
import re
import subprocess
import sys
from decimal import Decimal
from pathlib import Path

import pytest
from django.conf import settings as active
from django.core.exceptions import ImproperlyConfigured

import tests.environment
from lumasite import environment, logs
from tests.ground import SERVERS

ROOT = Path(__file__).resolve().parent.parent
NAMES = tests.environment.names()


# --- documented -----------------------------------------------------------------------------------


def test_the_tests_know_every_setting_that_is_read():
    assert set(NAMES) == environment.NAMES
    assert len(NAMES) == len(set(NAMES))
    # No call hides its setting's name from them.
    calls = [
        node
        for node in ast.walk(ast.parse((ROOT / "lumasite" / "settings.py").read_text()))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "read"
    ]
    assert sorted(call.args[0].value for call in calls) == sorted(NAMES)


@pytest.mark.parametrize("file", ["README.md", ".env.example"])
@pytest.mark.parametrize("name", NAMES)
def test_each_setting_is_documented(name, file):
    assert re.search(rf"(?<![A-Z_]){name}(?![A-Z_])", (ROOT / file).read_text()), f"{file} does not tell of {name}"


def test_the_example_sets_nothing_that_is_not_read():
    lines = (ROOT / ".env.example").read_text().splitlines()
    found = {match[1] for line in lines if (match := re.match(r"#?\s?([A-Z][A-Z_0-9]+)=", line))}
    assert found <= set(NAMES)


def test_the_example_holds_no_secret():
    for line in (ROOT / ".env.example").read_text().splitlines():
        assert not re.match(r"[A-Z_]*(TOKEN|KEY|SECRET)[A-Z_]*=\S", line), line


# --- checked --------------------------------------------------------------------------------------


def setting(monkeypatch, name: str, value: str, parse, default=None):
    monkeypatch.setenv(name, value)
    monkeypatch.setattr(environment, "NAMES", set())
    return environment.read(name, parse, default)


@pytest.mark.parametrize("value", ["", " ", "\t\n"])
def test_an_empty_setting_counts_as_unset(value, monkeypatch):
    assert setting(monkeypatch, "PORT", value, environment.whole(1, 9), 5) == 5


@pytest.mark.parametrize(
    ("parse", "value", "found"),
    [
        (environment.truth, "TRUE", True),
        (environment.truth, "on", True),
        (environment.truth, "1", True),
        (environment.truth, "No", False),
        (environment.truth, " 0 ", False),
        (environment.whole(0, 10), "0", 0),
        (environment.whole(0, 10), "10", 10),
        (environment.origin, "https://studio.example.com/", "https://studio.example.com"),
        (environment.origin, "http://127.0.0.1:8000", "http://127.0.0.1:8000"),
        (environment.base_url, "https://api.example.com/luma/", "https://api.example.com/luma"),
        (environment.listing, " a, b,,", ["a", "b"]),
        (environment.hosts, "CDN.example.com, *.example.org,127.0.0.1:9000,[::1]:9000", None),
        (environment.price, "0.40 USD", (Decimal("0.40"), "USD")),
        (environment.redis, "redis://:p%2Fw@host:6379/0", "redis://:p%2Fw@host:6379/0"),
        (environment.token, "platform-v1-abc.DEF_123==", "platform-v1-abc.DEF_123=="),
    ],
)
def test_a_good_value_is_read(parse, value, found, monkeypatch):
    expected = ["cdn.example.com", "*.example.org", "127.0.0.1:9000", "[::1]:9000"] if found is None else found
    assert setting(monkeypatch, "A_SETTING", value, parse) == expected


def test_addresses_of_databases_and_mail_servers_are_read(monkeypatch):
    found = setting(monkeypatch, "DATABASE_URL", "postgres://u:p%2Fw@db:5433/studio", environment.database)
    assert found["ENGINE"] == "django.db.backends.postgresql"
    assert (found["HOST"], found["PORT"], found["NAME"], found["PASSWORD"]) == ("db", 5433, "studio", "p/w")
    found = setting(monkeypatch, "EMAIL_URL", "smtp+tls://u:p%40w@mail:587", environment.email)
    assert found["EMAIL_USE_TLS"] is True
    assert (found["EMAIL_HOST"], found["EMAIL_PORT"], found["EMAIL_HOST_PASSWORD"]) == ("mail", 587, "p@w")


BAD = [
    (environment.truth, ["maybe", "2", "ja"]),
    (environment.whole(1, 65534), ["0", "65535", "-1", "8000.5", "8e3", "0x50", "many", "1" * 40]),
    (
        environment.origin,
        [
            *("studio.example.com", "https://", "https://studio.example.com/app", "https://studio.example.com?x=1"),
            *(
                "ftp://studio.example.com",
                "https://studio.example.com:99999",
                "https://[::1",
                "https://stu dio.example",
            ),
        ],
    ),
    (
        environment.base_url,
        ["api.example.com", "https://", "https://api.example.com?x", "https://api.example.com:x", "https://[::1"],
    ),
    (environment.hosts, ["https://cdn.example.com", "cdn.example.com/x", "cdn.*.com", "a b", "*", "host:port"]),
    (environment.price, ["0.40", "USD 0.40", "0.40 usd", "-1 USD", "1,50 EUR", "NaN USD"]),
]


@pytest.mark.parametrize(("parse", "value"), [(parse, value) for parse, values in BAD for value in values])
def test_a_bad_value_is_refused_with_what_to_do(parse, value, monkeypatch):
    with pytest.raises(ImproperlyConfigured) as caught:
        setting(monkeypatch, "A_SETTING", value, parse)
    message = str(caught.value)
    assert message.startswith("The setting A_SETTING must be ")
    assert repr(value) in message


SECRET = "s3cr3t"


@pytest.mark.parametrize(
    ("name", "parse", "value"),
    [
        ("ACEDATACLOUD_API_TOKEN", environment.token, f"two words {SECRET}"),
        ("ACEDATACLOUD_API_TOKEN", environment.token, f"{SECRET}…"),
        ("ACEDATACLOUD_PLATFORM_TOKEN", environment.token, f"{SECRET}\n{SECRET}"),
        ("DATABASE_URL", environment.database, f"mysql://u:{SECRET}@host/db"),
        ("DATABASE_URL", environment.database, f"postgres://u:{SECRET}/x@host/db"),
        ("REDIS_URL", environment.redis, f"http://:{SECRET}@host"),
        ("REDIS_URL", environment.redis, f"redis://:{SECRET}/x@host"),
        ("EMAIL_URL", environment.email, f"nonsense://u:{SECRET}@host"),
        ("EMAIL_URL", environment.email, f"smtp://u:{SECRET}/x@host:25"),
        ("PUBLIC_BASE_URL", environment.origin, f"https://u:{SECRET}@studio.example.com"),
        ("AWS_S3_ENDPOINT_URL", environment.base_url, f"https://u:{SECRET}@s3.example.com"),
    ],
)
def test_a_bad_secret_is_refused_without_being_told(name, parse, value, monkeypatch):
    with pytest.raises(ImproperlyConfigured, match=f"^The setting {name} must be") as caught:
        setting(monkeypatch, name, value, parse)
    assert SECRET not in str(caught.value)
    assert caught.value.__suppress_context__


# --- the whole, in a process of its own -----------------------------------------------------------


COMMON = (
    "s.SANDBOX, s.DATA_DIR.name, s.ACEDATACLOUD_API_BASE_URL, s.PUBLIC_BASE_URL, s.SIGNUP_OPEN,"
    " s.SESSION_COOKIE_SECURE, s.DEBUG, len(s.SECRET_KEY) > 50, s.LUMA_RESULT_HOSTS, s.ALLOWED_HOSTS"
)


def started(tmp_path: Path, shown: str = COMMON, **env: str) -> subprocess.CompletedProcess:
    """What the product's settings come to in this environment; `shown` are the expressions to print."""
    clear = dict.fromkeys(NAMES, "")
    return subprocess.run(
        [sys.executable, "-c", f"from lumasite import settings as s;print({shown})"],
        cwd=ROOT,
        env={**os.environ, **clear, "DATA_DIR": str(tmp_path / "data"), **env},
        capture_output=True,
        text=True,
        timeout=60,
    )


def test_without_a_token_the_sandbox_is_used(tmp_path):
    found = started(tmp_path, PORT="9000")
    assert found.stdout.split()[:8] == (
        ["True", "data", "http://127.0.0.1:9001", "http://127.0.0.1:9000", "True", "False", "False", "True"]
    )
    assert "['127.0.0.1:9001']" in found.stdout
    key = tmp_path / "data" / "secret_key"
    assert key.stat().st_mode & 0o777 == 0o600
    before = key.read_text()
    started(tmp_path)
    assert key.read_text() == before


def test_with_a_token_the_provider_is_used_and_accounts_are_closed(tmp_path):
    found = started(tmp_path, ACEDATACLOUD_API_TOKEN="secret-token", PUBLIC_BASE_URL="https://studio.example.com")
    assert found.stdout.split()[:7] == (
        ["False", "data", "https://api.acedata.cloud", "https://studio.example.com", "False", "True", "False"]
    )
    assert "*.acedata.cloud" in found.stdout
    assert "'studio.example.com', 'localhost', '127.0.0.1', '[::1]'" in found.stdout


@pytest.mark.parametrize(
    ("env", "allowed"),
    [
        ({}, ["https://films.s3.amazonaws.com"]),
        ({"AWS_S3_ENDPOINT_URL": "https://s3.example.com"}, ["https://s3.example.com"]),
        (
            {"AWS_S3_ENDPOINT_URL": "http://minio:9000", "AWS_S3_PUBLIC_ENDPOINT_URL": "https://films.example.com/"},
            ["https://films.example.com"],
        ),
    ],
)
def test_the_browser_may_load_from_the_bucket_where_it_reaches_it(env, allowed, tmp_path):
    found = started(tmp_path, "s._bucket", AWS_STORAGE_BUCKET_NAME="films", **env)
    assert found.stdout.strip() == str(allowed)


@pytest.mark.parametrize(
    ("env", "says"),
    [
        ({"CSRF_TRUSTED_ORIGINS": "studio.example.com"}, "CSRF_TRUSTED_ORIGINS must list origins with their scheme"),
        ({"DATA_DIR": "/dev/null/x"}, "DATA_DIR names a folder that can't be made"),
        ({"PORT": "http"}, "PORT must be a whole number from 1 to 65534 (it is 'http')"),
    ],
)
def test_a_site_that_is_set_up_wrongly_does_not_start_and_says_why(env, says, tmp_path):
    found = started(tmp_path, **env)
    assert found.returncode != 0
    assert says in found.stderr.splitlines()[-1]


# --- the tests' own -------------------------------------------------------------------------------


def test_the_tests_are_deaf_to_the_environment():
    assert active.ACEDATACLOUD_API_TOKEN == "token-for-tests"
    assert active.ACEDATACLOUD_API_BASE_URL == "https://api.provider.example"
    assert active.ACEDATACLOUD_PLATFORM_TOKEN == ""
    kept = {"DATA_DIR", "SECRET_KEY"}
    if SERVERS:
        kept |= {"DATABASE_URL", "REDIS_URL", *(name for name in NAMES if name.startswith("AWS_"))}
    assert not [name for name in NAMES if os.environ.get(name) and name not in kept]


def test_clearing_the_environment_also_shuts_out_the_env_file():
    environ = {"ACEDATACLOUD_API_TOKEN": "real", "PATH": "/bin"}
    tests.environment.clear(environ)
    # Set to nothing, and so not filled in from a file.
    assert environ["ACEDATACLOUD_API_TOKEN"] == ""
    assert environ["PATH"] == "/bin"


# --- logs -----------------------------------------------------------------------------------------


def record(message: str, *args, **options):
    return logging.LogRecord("videos", logging.WARNING, __file__, 1, message, args, options.get("exc_info"))


@pytest.mark.parametrize(
    "line",
    [
        "POST /callbacks/luma/{}/ 404",
        "POST /callbacks/luma/{}",
        "GET /files/frames/x.png?signature={}",
        "GET /files/frames/x.png?signature={}&x=1",
        "Authorization: Bearer {}",
        "{{'Authorization': 'Bearer {}'}}",
        "GET /accounts/reset/MQ/{}/",
    ],
)
def test_no_log_line_tells_a_secret(line):
    noted = record("%s", line.format("s3cr3t-abc_DEF:1"))
    assert logs.RedactSecrets().filter(noted)
    assert "s3cr3t" not in noted.getMessage()
    assert "s3cr3t" not in logs.JsonFormatter().format(noted)


@pytest.mark.parametrize("formatter", [logging.Formatter(), logs.JsonFormatter()], ids=["text", "json"])
def test_a_fault_in_the_log_tells_no_secret(formatter):
    try:
        raise RuntimeError("POST /callbacks/luma/s3cr3t/")
    except RuntimeError:
        noted = record("failed", exc_info=sys.exc_info())
    logs.RedactSecrets().filter(noted)
    assert "RuntimeError" in formatter.format(noted)
    assert "s3cr3t" not in formatter.format(noted)
