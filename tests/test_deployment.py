"""The files of a deployment fit each other, the settings and the code. Docker and systemd themselves are not needed."""

from __future__ import annotations

import configparser
import fnmatch
import json
import os
import re
import runpy
import shlex
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

import tests.environment
from lumasite.databases import CONNECTIONS_MOST
from tests.processes import ROOT
from videos.middleware import BODY_MAX
from videos.worker import SHUTDOWN_SECONDS

NAMES = set(tests.environment.names())
NGINX = sorted((ROOT / "deploy" / "nginx").glob("*.conf"))
UNITS = sorted((ROOT / "deploy" / "systemd").iterdir())
SERVICES = [path for path in UNITS if path.suffix == ".service"]
DOCKER_STOP_SECONDS = SYSTEMD_STOP_SECONDS = 40


def run(folder: Path, tmp_path: Path, *words: str, **env: str) -> None:
    """Run a command in `folder` with nothing set but `env` and a data folder of its own; it must succeed."""
    done = subprocess.run(
        [sys.executable, *words],
        cwd=folder,
        env={
            **os.environ,
            **dict.fromkeys(NAMES, ""),
            "DJANGO_SETTINGS_MODULE": "lumasite.settings",
            "DATA_DIR": str(tmp_path / "data"),
            **env,
        },
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr


# --- the image ------------------------------------------------------------------------------------


def dockerfile() -> list[tuple[str, str]]:
    """Its instructions, in order."""
    text = re.sub(r"(?m)^\s*#.*\n", "", (ROOT / "Dockerfile").read_text()).replace("\\\n", " ")
    return [(line.split()[0], line.partition(" ")[2].strip()) for line in text.splitlines() if line.strip()]


def instructions(name: str) -> list[str]:
    return [rest for word, rest in dockerfile() if word == name]


def test_the_image_has_a_pinned_python_that_the_project_supports():
    (base,) = instructions("FROM")
    version = re.fullmatch(r"python:(\d+)\.(\d+)-slim-[a-z]+", base)
    assert version, base
    wanted = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["requires-python"]
    least = re.fullmatch(r">=(\d+)\.(\d+)", wanted)
    assert least, wanted
    assert tuple(map(int, version.groups())) >= tuple(map(int, least.groups()))


def test_the_image_runs_as_nobody_in_particular_and_tells_its_health():
    names = [name for name, _ in dockerfile()]
    (user,) = instructions("USER")
    assert user.isdecimal()
    assert int(user) > 0
    assert names.index("USER") < names.index("CMD")
    assert "/healthz/" in instructions("HEALTHCHECK")[0]


def test_nothing_secret_is_kept_in_the_image():
    kept = " ".join(instructions("ENV") + instructions("ARG"))
    assert not re.search("KEY|TOKEN|SECRET|PASSWORD", kept)


def copied() -> list[str]:
    """The files and folders that go into the image."""
    return [source for rest in instructions("COPY") for source in rest.split()[:-1]]


def test_what_the_image_copies_is_let_through_and_nothing_else():
    allowed = {
        line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!") and line[1:]
    }
    assert allowed == set(copied())
    assert (ROOT / ".dockerignore").read_text().splitlines()[1] == "*"
    assert not any(fnmatch.fnmatch(".env", pattern) for pattern in allowed)


def test_what_the_image_copies_is_enough_to_build_and_to_start_it(tmp_path):
    app = tmp_path / "app"
    for name in copied():
        target = app / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, target, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(ROOT / name, target)
    (collect,) = [rest for rest in instructions("RUN") if "collectstatic" in rest]
    key, *words = shlex.split(collect)
    name, _, value = key.partition("=")
    assert words[0] == "python"
    # Compressing takes long, and is no different here.
    run(app, tmp_path, *words[1:], "--no-post-process", **{name: value})
    assert (tmp_path / "data" / "static" / "css" / "site.css").exists()
    # With a key in the environment none is made; otherwise it would be in the image.
    assert not (tmp_path / "data" / "secret_key").exists()
    program, *words = json.loads(instructions("CMD")[0])
    run(app, tmp_path, "-m", program, "--check-config", *words, SECRET_KEY=value)
    check = json.loads(instructions("HEALTHCHECK")[0].partition("CMD")[2])
    compile(check[2], "HEALTHCHECK", "exec")


# --- compose --------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def compose():
    return yaml.safe_load((ROOT / "compose.yaml").read_text())


@pytest.mark.parametrize("service", ["web", "worker", "migrate"])
def test_compose_passes_on_every_setting_and_no_other(compose, service):
    passed = set(compose["services"][service]["environment"])
    assert passed <= NAMES
    # DATA_DIR is the image's; the port is gunicorn's; nobody develops there.
    assert passed == NAMES - {"DATA_DIR", "PORT", "DEBUG"}


def test_compose_has_all_that_the_studio_needs(compose):
    services = compose["services"]
    assert set(services) == {"proxy", "web", "worker", "migrate", "postgres", "redis", "minio", "bucket"}
    for name in ("web", "worker"):
        waits = services[name]["depends_on"]
        assert waits["migrate"]["condition"] == waits["bucket"]["condition"] == "service_completed_successfully"
        assert services[name]["stop_grace_period"] == f"{DOCKER_STOP_SECONDS}s"
    for name in ("migrate", "bucket"):
        assert services[name]["restart"] == "no"
    for name in set(services) - {"migrate", "bucket"}:
        assert services[name]["restart"] == "unless-stopped"
    for name in ("proxy", "postgres", "redis", "minio"):
        assert services[name]["healthcheck"]["test"]
        assert re.search(r":[^:/]*\d", services[name]["image"]), "an image without a version"
    assert set(compose["volumes"]) == {"postgres", "minio"}


def test_compose_lets_nobody_in_but_by_the_proxy(compose):
    assert [name for name, service in compose["services"].items() if service.get("ports")] == ["proxy"]


def test_compose_starts_with_no_password_that_nobody_chose(compose):
    text = (ROOT / "compose.yaml").read_text()
    told = (ROOT / "deploy" / "compose.env.example").read_text()
    secret = {name for name in re.findall(r"\$\{([A-Z_0-9]+)", text) if re.search("PASSWORD|SECRET|API_TOKEN", name)}
    assert secret
    for name in secret:
        assert f"${{{name}:?" in text
        assert f"${{{name}:-" not in text
    must = set(re.findall(r"\$\{([A-Z_0-9]+):\?", text))
    assert must <= set(re.findall(r"(?m)^([A-Z_0-9]+)=$", told))
    assert not re.search(r"(?m)^[A-Z_0-9]+=.", told), "the example sets something"


def test_the_programs_that_compose_runs_are_there(compose):
    for service in ("worker", "migrate"):
        program, script, command, *_ = compose["services"][service]["command"]
        assert (program, script) == ("python", "manage.py")
        assert command == "migrate" or "run_huey" in command


# --- gunicorn -------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def gunicorn():
    return runpy.run_path(str(ROOT / "deploy" / "gunicorn.conf.py"))


def test_no_request_waits_for_a_connection_of_the_pool(gunicorn):
    assert gunicorn["threads"] < CONNECTIONS_MOST


def test_whoever_ends_a_process_waits_until_what_is_under_way_has_ended(gunicorn):
    for stop in (DOCKER_STOP_SECONDS, SYSTEMD_STOP_SECONDS):
        assert stop > gunicorn["graceful_timeout"]
        assert stop > SHUTDOWN_SECONDS


# --- systemd --------------------------------------------------------------------------------------


def unit(path: Path) -> configparser.ConfigParser:
    parser = configparser.ConfigParser(interpolation=None, strict=False)
    parser.optionxform = str  # type: ignore[method-assign,assignment]
    parser.read_string(path.read_text().replace("\\\n", " "))
    return parser


@pytest.mark.parametrize("path", SERVICES, ids=lambda path: path.stem)
def test_each_unit_runs_what_is_there_without_any_rights(path):
    service = unit(path)["Service"]
    program, *words = service["ExecStart"].split()
    assert program == f"{service['WorkingDirectory']}/.venv/bin/python"
    if words[0] == "-m":
        config = words[words.index("--config") + 1].removeprefix(f"{service['WorkingDirectory']}/")
        assert (ROOT / config).exists()
    else:
        assert (ROOT / words[0]).exists()
        assert words[1] in {"studio", "run_huey"}
    assert service["User"] == "luma-studio"
    assert service["CapabilityBoundingSet"] == ""
    assert service["ProtectSystem"] == "strict"
    assert service["NoNewPrivileges"] == "yes"
    assert service["KillSignal"] == "SIGTERM"
    assert int(service["TimeoutStopSec"]) == SYSTEMD_STOP_SECONDS


def test_the_units_are_shut_in_alike():
    hardened = [path.read_text().partition("# Only its own folder")[2] for path in SERVICES]
    assert hardened[0]
    assert len(set(hardened)) == 1


def test_everybody_means_the_same_port(gunicorn):
    listening = unit(ROOT / "deploy" / "systemd" / "luma-studio-web.socket")["Socket"]["ListenStream"]
    assert listening == gunicorn["bind"] == "127.0.0.1:8000"
    assert f"server {listening};" in (ROOT / "deploy" / "nginx" / "one-machine.conf").read_text()


# --- nginx ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", NGINX, ids=lambda path: path.stem)
def test_nginx_takes_as_much_at_once_as_the_studio(path):
    (limit,) = re.findall(r"client_max_body_size (\d+)m;", path.read_text())
    assert int(limit) * 1024 * 1024 == BODY_MAX


@pytest.mark.parametrize("path", NGINX, ids=lambda path: path.stem)
def test_no_server_of_nginx_writes_a_log_of_another_kind(path):
    text = path.read_text()
    assert len(re.findall(r"^server \{", text, re.MULTILINE)) == 2
    written = re.findall(r"access_log \S+ ?(\w*);", text)
    assert len(written) >= 2
    assert set(written) == {"studio"}


# --- what is said about them ----------------------------------------------------------------------


def test_each_file_of_a_deployment_is_explained():
    told = (ROOT / "docs" / "deploy.md").read_text()
    files = [path.relative_to(ROOT).as_posix() for path in (ROOT / "deploy").rglob("*") if path.is_file()]
    files = [name for name in files if "__pycache__" not in name]
    assert [name for name in [*files, "Dockerfile", "compose.yaml"] if name not in told] == []
