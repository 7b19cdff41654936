"""All settings. The environment (or a `.env` file beside manage.py) is read here and nowhere else."""

from __future__ import annotations

import os
import secrets
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import environ
from csp.constants import NONE, SELF
from django.core.exceptions import ImproperlyConfigured
from huey.serializer import SignedSerializer

from . import databases
from .environment import (
    base_url,
    database,
    email,
    hosts,
    listing,
    origin,
    price,
    read,
    redis,
    token,
    truth,
    whole,
)

BASE_DIR = Path(__file__).resolve().parent.parent
environ.Env.read_env(BASE_DIR / ".env")

# --- the provider ---------------------------------------------------------------------------------

_api_token = read("ACEDATACLOUD_API_TOKEN", token, "")
SANDBOX = not _api_token
PORT = read("PORT", whole(1, 65534), 8000)
SANDBOX_ORIGIN = f"http://127.0.0.1:{PORT + 1}"

ACEDATACLOUD_API_TOKEN = _api_token or "sandbox"
ACEDATACLOUD_API_BASE_URL = read(
    "ACEDATACLOUD_API_BASE_URL", base_url, SANDBOX_ORIGIN if SANDBOX else "https://api.acedata.cloud"
)
ACEDATACLOUD_PLATFORM_TOKEN = read("ACEDATACLOUD_PLATFORM_TOKEN", token, "")
ACEDATACLOUD_PLATFORM_BASE_URL = read("ACEDATACLOUD_PLATFORM_BASE_URL", base_url, "https://platform.acedata.cloud")
PUBLIC_BASE_URL = read("PUBLIC_BASE_URL", origin, f"http://127.0.0.1:{PORT}" if SANDBOX else "")
LUMA_RESULT_HOSTS = read(
    "LUMA_RESULT_HOSTS",
    hosts,
    [urlsplit(SANDBOX_ORIGIN).netloc] if SANDBOX else ["*.acedata.cloud", "*.cdn-luma.com"],
)
LUMA_MAX_IN_FLIGHT = read("LUMA_MAX_IN_FLIGHT", whole(1, 1000), 5)
LUMA_POLL_SECONDS = read("LUMA_POLL_SECONDS", whole(1, 3600), 15)
LUMA_CONFIRM_SECONDS = read("LUMA_CONFIRM_SECONDS", whole(1, 172_800), 900)
LUMA_MAX_VIDEO_BYTES = read("LUMA_MAX_VIDEO_BYTES", whole(1024, 1 << 40), 512 * 1024 * 1024)
GENERATIONS_PER_DAY = read("GENERATIONS_PER_DAY", whole(0, 1_000_000), 50)
GENERATIONS_PER_DAY_SITE = read("GENERATIONS_PER_DAY_SITE", whole(0, 100_000_000), 0)
LUMA_PRICE = read("LUMA_PRICE", price, None)
SIGNUP_OPEN = read("SIGNUP_OPEN", truth, SANDBOX)

# --- this machine ---------------------------------------------------------------------------------

DATA_DIR = BASE_DIR / read("DATA_DIR", Path, Path("data") / ("sandbox" if SANDBOX else "live"))
try:
    DATA_DIR.mkdir(parents=True, exist_ok=True)
except OSError as fault:
    raise ImproperlyConfigured(f"The setting DATA_DIR names a folder that can't be made: {fault}.") from None


def _kept_secret(path: Path) -> str:
    """A secret key made at the first start and kept in `path`."""
    try:
        with open(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w") as file:
            file.write(secrets.token_urlsafe(64))
    except FileExistsError:
        pass
    key = path.read_text().strip()
    if len(key) < 50:
        raise ImproperlyConfigured(f"{path} holds no key: delete it, or set SECRET_KEY.")
    return key


SECRET_KEY = read("SECRET_KEY", str, "") or _kept_secret(DATA_DIR / "secret_key")
DEBUG = read("DEBUG", truth, False)
TRUSTED_PROXIES = read("TRUSTED_PROXIES", whole(0, 10), 0)

_public = urlsplit(PUBLIC_BASE_URL)
ALLOWED_HOSTS = [
    *read("ALLOWED_HOSTS", listing, [_public.hostname] if _public.hostname else []),
    "localhost",
    "127.0.0.1",
    "[::1]",
]
CSRF_TRUSTED_ORIGINS = read("CSRF_TRUSTED_ORIGINS", listing, [PUBLIC_BASE_URL] if PUBLIC_BASE_URL else [])
for _entry in CSRF_TRUSTED_ORIGINS:
    if not _entry.startswith(("http://", "https://")):
        raise ImproperlyConfigured(
            f"The setting CSRF_TRUSTED_ORIGINS must list origins with their scheme; {_entry!r} has none."
        )

# --- the application ------------------------------------------------------------------------------

INSTALLED_APPS = [
    "videos",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "django_htmx",
    "csp",
    "axes",
    "huey.contrib.djhuey",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "videos.middleware.LimitBody",
    "videos.middleware.RefuseNonsense",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "axes.middleware.AxesMiddleware",
]
ROOT_URLCONF = "lumasite.urls"
WSGI_APPLICATION = "lumasite.wsgi.application"
TEMPLATES: list[dict[str, Any]] = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "videos.context.site",
            ],
        },
    }
]

DATABASES = {
    "default": databases.used(
        read(
            "DATABASE_URL",
            database,
            {"ENGINE": "django.db.backends.sqlite3", "NAME": str(DATA_DIR / "studio.sqlite3")},
        )
    )
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

REDIS_URL = read("REDIS_URL", redis, "")
HUEY: dict[str, Any] = {
    "name": "studio",
    "immediate": False,
    "consumer": {"workers": 6, "max_delay": 1.0, "check_worker_health": True, "periodic": True},
}
if REDIS_URL:
    HUEY |= {"huey_class": "huey.RedisHuey", "url": REDIS_URL, "serializer": SignedSerializer(SECRET_KEY)}
    CACHES = {"default": {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": REDIS_URL}}
else:
    HUEY |= {"huey_class": "huey.SqliteHuey", "filename": str(DATA_DIR / "queue.sqlite3")}
    CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}

AWS_STORAGE_BUCKET_NAME = read("AWS_STORAGE_BUCKET_NAME", str, "")
AWS_S3_ENDPOINT_URL = read("AWS_S3_ENDPOINT_URL", base_url, "") or None
AWS_S3_PUBLIC_ENDPOINT_URL = read("AWS_S3_PUBLIC_ENDPOINT_URL", origin, "") or None
AWS_S3_REGION_NAME = read("AWS_S3_REGION_NAME", str, "") or None
AWS_ACCESS_KEY_ID = read("AWS_ACCESS_KEY_ID", str, "") or None
AWS_SECRET_ACCESS_KEY = read("AWS_SECRET_ACCESS_KEY", str, "") or None
STORAGES: dict[str, dict[str, Any]] = {
    # No MEDIA_URL: servers for development would answer it themselves, to everybody.
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage", "OPTIONS": {"base_url": "/files/"}},
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"},
}
if AWS_STORAGE_BUCKET_NAME:
    STORAGES["default"] = {
        "BACKEND": "lumasite.bucket.Bucket",
        "OPTIONS": {
            "public_endpoint_url": AWS_S3_PUBLIC_ENDPOINT_URL,
            "file_overwrite": False,
            "default_acl": None,
            "signature_version": "s3v4",
        },
    }
AWS_S3_MAX_MEMORY_SIZE = 1024 * 1024  # larger files that are read here go to the disk, not into memory
MEDIA_ROOT = DATA_DIR / "media"
STATIC_ROOT = DATA_DIR / "static"
STATIC_URL = "/static/"
STATICFILES_DIRS = [BASE_DIR / "static"]
DATA_UPLOAD_MAX_MEMORY_SIZE = 1024 * 1024
FILE_UPLOAD_PERMISSIONS = 0o640

LOGGING: dict[str, Any] = {
    "version": 1,
    "disable_existing_loggers": False,
    "filters": {"secrets": {"()": "lumasite.logs.RedactSecrets"}},
    "formatters": {
        "text": {"format": "%(asctime)s %(levelname)s %(name)s: %(message)s"},
        "json": {"()": "lumasite.logs.JsonFormatter"},
    },
    "handlers": {
        "stderr": {
            "class": "logging.StreamHandler",
            "filters": ["secrets"],
            "formatter": "json" if read("LOG_JSON", truth, False) else "text",
        }
    },
    "root": {"handlers": ["stderr"], "level": "WARNING"},
    "loggers": {
        "videos": {"level": "INFO"},
        # Its own handlers would print a second, unredacted line.
        "django": {"handlers": [], "level": "WARNING", "propagate": True},
        "axes": {"level": "WARNING"},
    },
}

# --- people ---------------------------------------------------------------------------------------

AUTH_USER_MODEL = "videos.User"
AUTHENTICATION_BACKENDS = ["axes.backends.AxesStandaloneBackend", "django.contrib.auth.backends.ModelBackend"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]
LOGIN_URL = "login"
LOGIN_REDIRECT_URL = "gallery"
LOGOUT_REDIRECT_URL = "login"
# Name and address together, so that a guesser locks out nobody but himself.
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]
AXES_FAILURE_LIMIT = 10
AXES_COOLOFF_TIME = 0.25  # hours
AXES_RESET_ON_SUCCESS = True
AXES_LOCKOUT_TEMPLATE = "registration/locked.html"
# ipware counts proxies in another way: with one in front it would know no address at all, and lock out everybody.
AXES_CLIENT_IP_CALLABLE = "lumasite.clients.address"
AXES_USERNAME_CALLABLE = "lumasite.clients.name"

_mail = read("EMAIL_URL", email, None)
MAIL_CONFIGURED = _mail is not None or SANDBOX
if _mail:
    globals().update(_mail)
else:
    EMAIL_BACKEND = "django.core.mail.backends.console.EmailBackend"
EMAIL_TIMEOUT = 20  # a mail server that says nothing must not hold a worker's thread for ever
DEFAULT_FROM_EMAIL = read("DEFAULT_FROM_EMAIL", str, "Luma Studio <studio@localhost>")

LANGUAGE_CODE = "en"
LANGUAGES = [("en", "English"), ("zh-hans", "简体中文")]
LOCALE_PATHS = [BASE_DIR / "locale"]
USE_TZ = True
TIME_ZONE = "UTC"

# --- what the browser may do ----------------------------------------------------------------------

_result_origins = [entry if ":" not in entry else f"http://{entry} https://{entry}" for entry in LUMA_RESULT_HOSTS]
_amazon = f"https://{AWS_STORAGE_BUCKET_NAME}.s3.amazonaws.com"
_bucket = [AWS_S3_PUBLIC_ENDPOINT_URL or AWS_S3_ENDPOINT_URL or _amazon] if AWS_STORAGE_BUCKET_NAME else []
_pictures = [SELF, "blob:", *" ".join(_result_origins).split(), *_bucket]
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [SELF],
        "img-src": _pictures,
        "media-src": _pictures,
        "object-src": [NONE],
        "base-uri": [NONE],
        "form-action": [SELF],
        "frame-ancestors": [NONE],
    }
}
_secure = _public.scheme == "https"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = _secure
# Without a trusted proxy nobody tells us that a request came by https: redirecting would never end.
SECURE_SSL_REDIRECT = _secure and TRUSTED_PROXIES > 0
SECURE_HSTS_SECONDS = 31_536_000 if _secure else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = _secure
SECURE_REDIRECT_EXEMPT = [r"^healthz/$"]
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
if TRUSTED_PROXIES:
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
