"""The studio behind nginx and gunicorn, by the files of a deployment."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import sqlite3
from contextlib import closing
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest
import requests

from tests import pictures
from tests.deployed import Deployed, Proxy
from tests.processes import wait_until
from tests.studio import Visitor

pytestmark = pytest.mark.skipif(
    shutil.which("nginx") is None and not os.environ.get("CI"), reason="needs nginx (Debian: apt install nginx-light)"
)
SECRET = "a-secret-of-many-letters"
BIG = 24 * 1024 * 1024


class Upstream(ThreadingHTTPServer):
    """What nginx passes on; it answers /big with many bytes, and counts who still takes them."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Answers)
        self.seen: list[tuple[str, str, dict[str, str]]] = []
        self.given = 0


class Answers(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        assert isinstance(self.server, Upstream)
        self.server.seen.append((self.command, self.path, dict(self.headers)))
        size = BIG if self.path == "/big" else 2
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.send_response(HTTPStatus.OK)
        self.send_header("Content-Length", str(size))
        self.end_headers()
        self.wfile.write(b"x" * size)
        self.server.given += size == BIG

    do_POST = do_PUT = do_GET

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture(params=["one-machine.conf", "compose.conf"])
def proxy(request, tmp_path):
    """nginx by one of our files, in front of a server that tells what came through."""
    with Upstream() as server:
        Thread(target=server.serve_forever, daemon=True).start()
        address = f"127.0.0.1:{server.server_port}"
        proxy = Proxy(tmp_path, request.param, web=address, bucket=address).start()
        proxy.upstream = server
        yield proxy
        assert proxy.end() == 0
        server.shutdown()


def addresses_with_secrets():
    return [
        f"/callbacks/luma/{SECRET}/",
        f"/callbacks/luma/{SECRET}",
        f"//callbacks/./luma/{SECRET}",
        f"/%63allbacks/luma%2F{SECRET}",
        f"/files/frames/x.png?signature={SECRET}",
        f"/accounts/reset/MQ/{SECRET}/",
        f"/accounts/reset/{SECRET}/x/",
    ]


def ask(port: int, target: str, headers: str = "") -> int:
    """The status of a request that no client has tidied up."""
    with socket.create_connection(("127.0.0.1", port), 10) as connection:
        connection.sendall(f"GET {target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{headers}\r\n".encode())
        return int(connection.makefile("rb").readline().split()[1])


def test_no_log_of_nginx_tells_a_secret(proxy):
    for target in addresses_with_secrets():
        assert ask(proxy.port, target) == 200
        assert ask(proxy.plain_port, target) == 301
    proxy.upstream.shutdown()
    proxy.upstream.server_close()
    # Now nobody is there to answer, which is what nginx writes most about.
    for target in addresses_with_secrets():
        assert ask(proxy.port, target) == 502
        assert ask(proxy.port, target, f"Content-Length: {65 << 20}\r\n") == 413
    told = proxy.logs()
    assert told.count('"GET /callbacks/luma/... HTTP/1.1" 502') == 4
    assert SECRET not in told


def test_the_studio_is_told_who_asks_and_how_and_gets_what_was_sent(proxy):
    answer = requests.post(
        f"{proxy.url}/generations/?x=1", data=b"y" * 100, headers={"X-Forwarded-For": "6.6.6.6"}, timeout=10
    )
    assert answer.status_code == 200
    ((method, target, headers),) = proxy.upstream.seen
    assert (method, target) == ("POST", "/generations/?x=1")
    assert headers["Host"] == f"127.0.0.1:{proxy.port}"
    assert headers["X-Forwarded-For"].split(", ")[-1] == "127.0.0.1"
    assert headers["X-Forwarded-Proto"] == "http"


@pytest.mark.parametrize("name", ["one-machine.conf", "compose.conf"])
def test_over_https_the_studio_is_told_so_and_plain_http_is_sent_there(name, tmp_path, own_certificate):
    with Upstream() as server:
        Thread(target=server.serve_forever, daemon=True).start()
        address = f"127.0.0.1:{server.server_port}"
        proxy = Proxy(tmp_path, name, web=address, bucket=address, tls=own_certificate.file.parent).start()
        requests.get(f"{proxy.url}/", verify=own_certificate.file, timeout=10)
        assert server.seen[0][2]["X-Forwarded-Proto"] == "https"
        plain = requests.get(f"http://127.0.0.1:{proxy.plain_port}/you/?x=1", allow_redirects=False, timeout=10)
        assert (plain.status_code, plain.headers["Location"]) == (301, "https://127.0.0.1/you/?x=1")
        assert proxy.end() == 0
        server.shutdown()
    # Nothing to warn of either.
    assert "[" not in (tmp_path / "nginx.log").read_text()


def test_readers_who_take_nothing_hold_nothing_of_the_studios(proxy):
    readers = []
    for _ in range(12):
        reader = socket.socket()
        reader.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        reader.connect(("127.0.0.1", proxy.port))
        reader.sendall(b"GET /big HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        readers.append(reader)
    wait_until(lambda: proxy.upstream.given == len(readers), "all answers to be taken by nginx")
    for reader in readers:
        reader.close()


@pytest.mark.parametrize("proxy", ["compose.conf"], indirect=True)
def test_the_bucket_can_be_read_by_signed_links_and_nothing_else(proxy):
    link = f"{proxy.url}/luma-studio/videos/a.mp4?X-Amz-Signature={SECRET}"
    answer = requests.get(
        link, headers={"Cookie": "sessionid=1", "Authorization": "x", "Range": "bytes=0-"}, timeout=10
    )
    assert answer.headers["Content-Security-Policy"] == "default-src 'none'; sandbox"
    ((_, target, headers),) = proxy.upstream.seen
    assert target.endswith(f"X-Amz-Signature={SECRET}")
    # The signature holds for this host.
    assert headers["Host"] == f"127.0.0.1:{proxy.port}"
    assert headers["Range"] == "bytes=0-"
    assert not {"Cookie", "Authorization"} & set(headers)
    for method in ("PUT", "POST", "DELETE", "PATCH"):
        assert requests.request(method, link, timeout=10).status_code == 403
    assert len(proxy.upstream.seen) == 1
    assert SECRET not in proxy.logs()


def test_a_film_is_made_and_played_while_the_web_server_gets_new_code_and_goes_away(tmp_path):
    site = Deployed(tmp_path).start()
    try:
        ada = Visitor(site)
        first = ada.generate("a film", files={"start_image": ("f.png", pictures.upload(), "image/png")})
        site.processes["web"].send_signal(signal.SIGHUP)
        film = ada.wait_for_video(first)
        assert film[4:8] == b"ftyp"
        path = re.search(r'<video[^>]*src="(/files/videos/[^"]+)"', ada.card(first))[1]
        part = ada.get(path, headers={"Range": "bytes=4-7"})
        if part.status_code == 302:
            part = requests.get(part.headers["Location"], headers={"Range": "bytes=4-7"}, timeout=10)
        assert (part.status_code, part.content) == (206, b"ftyp")
        second = ada.generate("while the web server is away")
        assert site.end("web") == 0
        wait_until(lambda: site.state(second) == "completed", "the film, found by asking")
        site.start_web()
        ada.wait_for_video(second)
        # What no page tells, neither do the logs.
        requests.post(f"{site.url}/callbacks/luma/{SECRET}/", json={}, timeout=10)
        secrets = [row["callback_token"] for row in site.ground.rows("SELECT callback_token FROM videos_generation")]
        with closing(sqlite3.connect(tmp_path / "data" / "provider" / "sandbox.sqlite3")) as ledger:
            posts = [str(body) for (body,) in ledger.execute("SELECT body FROM posts WHERE path = '/luma/videos'")]
        assert len(posts) == len(secrets) == 2
        secrets += re.findall(r"[?&](?:X-Amz-S|s)ignature=([^\"&\\]+)", " ".join(posts))
        assert len(secrets) == 3
        assert site.end("worker") == 0
        logs = site.logs()
        assert "/callbacks/luma/…" in logs["web.log"]
        for name, text in logs.items():
            assert not [secret for secret in [*secrets, SECRET] if secret in text], name
    finally:
        site.end_all()


def test_a_fault_of_gunicorns_own_tells_no_secret(tmp_path):
    site = Deployed(tmp_path)
    site.start_web()
    try:
        # No header may be as long as this one; and without its tables the studio fails at each request.
        assert ask(site.web_port, f"/callbacks/luma/{SECRET}/", f"X-Long: {'x' * 20_000}\r\n") == 431
        failed = requests.post(f"http://127.0.0.1:{site.web_port}/callbacks/luma/{SECRET}/", timeout=10)
        assert failed.status_code in (500, 503)
    finally:
        site.end_all()
    told = site.logs()["web.log"]
    assert "/callbacks/luma/…" in told
    assert SECRET not in told
