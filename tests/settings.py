"""The product's settings, deaf to `.env` and to this machine's environment: tests must never spend money."""

import os
import tempfile
from pathlib import Path

import tests.environment
from tests.ground import SERVERS, bucket, redis_number

tests.environment.clear()
os.environ["DATA_DIR"] = tempfile.mkdtemp(prefix="luma-studio-tests-")
if SERVERS:
    os.environ["DATABASE_URL"] = os.environ["TEST_DATABASE_URL"]
    os.environ["AWS_REQUEST_CHECKSUM_CALCULATION"] = "when_required"
    os.environ |= {"REDIS_URL": redis_number(), **bucket()}
# Playwright keeps an event loop running in this thread, which Django would take for asynchronous code.
os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"
os.environ["SECRET_KEY"] = "for-tests-alone-" * 4

from lumasite.settings import *  # noqa: E402, F403
from lumasite.settings import DATA_DIR, HUEY, STORAGES  # noqa: E402

assert isinstance(DATA_DIR, Path)
STORAGES = {
    **STORAGES,
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}
if not SERVERS:
    # Tasks are put in memory and taken out by the tests themselves.
    HUEY = {"name": "tests", "huey_class": "huey.MemoryHuey", "immediate": False, "consumer": HUEY["consumer"]}
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
PUBLIC_BASE_URL = "https://studio.example.com"
ACEDATACLOUD_API_TOKEN = "token-for-tests"
ACEDATACLOUD_API_BASE_URL = "https://api.provider.example"
LUMA_RESULT_HOSTS = ["cdn.provider.example"]
ALLOWED_HOSTS = ["*"]
STATIC_ROOT = DATA_DIR / "static"
STATIC_ROOT.mkdir()
