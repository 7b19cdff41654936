"""A finished video on its way home, over real connections to servers of every kind."""

from __future__ import annotations

import errno
import io
import os
import re
import socket
import uuid
from contextlib import suppress
from pathlib import Path

import certifi
import pytest
from django.core.files.storage import default_storage, storages
from PIL import Image

from tests import pictures
from tests.wire import refused_port, reply, wire
from videos import storing
from videos.storing import Gone, Later

KEY = uuid.UUID("0b4c2f0e-8a6e-4f2c-9f57-0d6c1b2a3c4d")


@pytest.fixture
def listed(settings):
    """Lists a server of the test with its port."""

    def add(*servers):
        settings.LUMA_RESULT_HOSTS = [f"127.0.0.1:{server.port}" for server in servers]

    return add


def files(root: Path) -> list[str]:
    return sorted(str(path.relative_to(root)) for path in root.rglob("*") if path.is_file())


def nothing_left(settings) -> bool:
    """Whether neither the storage nor the folder of arrivals holds a file."""
    return files(Path(settings.DATA_DIR)) == [] and not list((Path(settings.DATA_DIR) / "incoming").iterdir())


def fails(kind: type[Exception], link: str, settings, says: str = "") -> None:
    """Fetch, and raise unless that ends in `kind` with nothing left behind."""
    with pytest.raises((Gone, Later), match=re.escape(says) or None) as caught:
        storing.fetch(KEY, link)
    assert type(caught.value) is kind
    assert nothing_left(settings)


# --- a video that arrives -------------------------------------------------------------------------


def test_a_video_comes_home_whole_with_a_poster_and_its_length(result_server, mp4, settings):
    result_server.expect_request("/film.mp4").respond_with_data(mp4, content_type="video/mp4")
    stored = storing.fetch(KEY, result_server.url_for("/film.mp4?signature=a%2Fb"))
    assert (stored.file, stored.poster) == (f"videos/{KEY}.mp4", f"posters/{KEY}.jpg")
    assert default_storage.open(stored.file).read() == mp4
    assert (stored.width, stored.height, stored.size) == (128, 72, len(mp4))
    assert stored.duration == pytest.approx(1, abs=0.1)
    poster = Image.open(default_storage.open(stored.poster))
    assert (poster.format, poster.size) == ("JPEG", (128, 72))
    assert not list((Path(settings.DATA_DIR) / "incoming").iterdir())
    assert result_server.log[0][0].query_string == b"signature=a%2Fb"


def test_the_provider_is_told_nothing_but_what_it_must_know(listed, mp4):
    with wire(reply(mp4)) as server:
        listed(server)
        storing.fetch(KEY, f"{server.url}/film.mp4#here")
    head = server.requests[0].decode()
    assert head.startswith("GET /film.mp4 HTTP/1.1\r\n")
    assert f"Host: 127.0.0.1:{server.port}\r\n" in head
    assert not re.search("authorization|cookie|referer", head, re.IGNORECASE)


def test_a_video_stored_again_takes_the_place_of_the_old_one(result_server, mp4):
    result_server.expect_request("/film.mp4").respond_with_data(mp4)
    default_storage.save(f"videos/{KEY}.mp4", io.BytesIO(b"half a film, of a try that was killed"))
    stored = storing.fetch(KEY, result_server.url_for("/film.mp4"))
    assert stored.file == f"videos/{KEY}.mp4"
    assert default_storage.open(stored.file).read() == mp4
    assert default_storage.listdir("videos")[1] == [f"{KEY}.mp4"]


def test_a_video_without_a_told_length_is_taken(listed, mp4):
    with wire(reply(mp4, Content_Length="")) as server:
        listed(server)
        assert storing.fetch(KEY, server.url).size == len(mp4)


def test_a_redirect_to_another_listed_server_is_followed(listed, mp4):
    with wire(reply(mp4)) as home, wire(reply("", "302 Found", Location=f"{home.url}/film.mp4")) as server:
        listed(home, server)
        assert storing.fetch(KEY, server.url).size == len(mp4)


def test_a_redirect_may_be_relative(listed, mp4):
    with wire(reply("", "301 Moved", Location="films/film.mp4?x=1"), reply(mp4)) as server:
        listed(server)
        storing.fetch(KEY, f"{server.url}/a/b")
    assert server.requests[1].startswith(b"GET /a/films/film.mp4?x=1 ")


def test_while_bytes_arrive_the_claim_is_renewed(listed, mp4, monkeypatch):
    monkeypatch.setattr(storing, "KEEP_ALIVE_SECONDS", -1)
    monkeypatch.setattr(storing, "CHUNK", 1024)
    calls = []
    with wire(reply(mp4)) as server:
        listed(server)
        storing.fetch(KEY, server.url, keep_alive=lambda: calls.append(1))
    assert len(calls) > len(mp4) // 1024


def test_what_killed_tries_left_behind_is_cleared_away_after_a_day(result_server, mp4, settings):
    old, young = (Path(settings.DATA_DIR) / "incoming" / name for name in ("old", "young"))
    for folder in (old, young):
        folder.mkdir(parents=True)
        (folder / "video.mp4").write_bytes(b"x")
    os.utime(old, (0, 0))
    result_server.expect_request("/film.mp4").respond_with_data(mp4)
    storing.fetch(KEY, result_server.url_for("/film.mp4"))
    assert not old.exists()
    assert young.exists()


# --- what is no video -----------------------------------------------------------------------------


def without_video() -> bytes:
    """An MP4 that holds sound alone."""
    import av

    out = io.BytesIO()
    with av.open(out, "w", format="mp4") as container:
        stream = container.add_stream("aac", rate=44100)
        frame = av.AudioFrame(format="fltp", layout="mono", samples=1024)
        frame.sample_rate = 44100
        for plane in frame.planes:
            plane.update(bytes(plane.buffer_size))
        container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return out.getvalue()


PLAYLIST = b"#EXTM3U\n#EXT-X-TARGETDURATION:5\n#EXTINF:5,\n{url}\n#EXT-X-ENDLIST\n"
NO_VIDEOS = {
    "nothing": b"",
    "a page": b"<!doctype html><html><body>Please sign in</body></html>",
    "an error in JSON": b'{"error": "expired"}',
    "a picture": pictures.image(),
    "a head alone": b"\x00\x00\x00\x20ftypisom\x00\x00\x02\x00isomiso2avc1mp41",
    "a head and noise": b"\x00\x00\x00\x20ftypisom\x00\x00\x02\x00isomiso2avc1mp41" + os.urandom(5000),
    "sound alone": without_video(),
}


@pytest.mark.parametrize("body", NO_VIDEOS.values(), ids=NO_VIDEOS)
def test_what_is_no_video_is_not_kept(body, result_server, settings):
    result_server.expect_request("/film.mp4").respond_with_data(body, content_type="video/mp4")
    fails(Gone, result_server.url_for("/film.mp4"), settings)


def test_half_a_film_that_claims_to_be_whole_is_not_kept(result_server, mp4, settings):
    # The index of these films stands at their end.
    result_server.expect_request("/film.mp4").respond_with_data(mp4[: len(mp4) // 2])
    fails(Gone, result_server.url_for("/film.mp4"), settings)


def playlists(url: str, folder: Path) -> dict[str, bytes]:
    lines = PLAYLIST.replace(b"{url}", url.encode())
    return {
        "plain": lines,
        "behind an MP4's head": b"\x00\x00\x00\x10ftypisom\x00\x00\x02\x00\n" + lines,
        "with an MP4's head in a comment": b"#EXTftypM3U\n" + lines,
        "of local files": PLAYLIST.replace(b"{url}", f"file://{folder}/secret.ts".encode()),
        "a concatenation": b"ffconcat version 1.0\nfile '" + url.encode() + b"'\n",
        "an SDP": b"v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nm=video 9 RTP/AVP 96\n",
    }


@pytest.mark.parametrize("which", playlists("", Path()))
def test_a_playlist_opens_no_further_link(which, listed, settings, tmp_path):
    with wire(reply(b"stolen")) as canary:
        with wire(reply(playlists(f"{canary.url}/secret.ts", tmp_path)[which])) as server:
            listed(server, canary)
            fails(Gone, server.url, settings)
        assert canary.connections == 0


def test_a_film_with_absurd_sides_is_not_kept(result_server, mp4, settings, monkeypatch):
    monkeypatch.setattr(storing, "SIDE_MOST", 100)
    result_server.expect_request("/film.mp4").respond_with_data(mp4)
    fails(Gone, result_server.url_for("/film.mp4"), settings, "sides are absurd")


# --- links that lead nowhere, and those that may yet ----------------------------------------------


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        *((status, Gone) for status in (401, 403, 404, 410)),
        *((status, Later) for status in (204, 206, 304, 400, 416, 429, 500, 502, 503)),
    ],
)
def test_a_link_that_answers(status, kind, listed, settings):
    with wire(reply("", f"{status} X")) as server:
        listed(server)
        fails(kind, server.url, settings, f"answers {status}")
        assert server.connections == 1


def test_a_download_that_broke_off_is_tried_again_later(listed, mp4, settings):
    with wire(reply(mp4[:-100], Content_Length=str(len(mp4)))) as server:
        listed(server)
        fails(Later, server.url, settings, "broke off")


def test_a_connection_that_was_cut_is_tried_again_later(listed, mp4, settings):
    with wire(lambda c: (c.send(reply(mp4[:2000], Content_Length=str(len(mp4)))), c.reset())) as server:
        listed(server)
        fails(Later, server.url, settings)


def test_a_server_that_stalls_is_left_alone_until_later(listed, mp4, settings, monkeypatch):
    monkeypatch.setattr(storing, "STALL_SECONDS", 0.2)
    with wire(lambda c: (c.send(reply(mp4[:2000], Content_Length=str(len(mp4)))), c.stall())) as server:
        listed(server)
        fails(Later, server.url, settings)


def test_a_server_that_never_answers_is_left_alone_until_later(listed, settings, monkeypatch):
    monkeypatch.setattr(storing, "STALL_SECONDS", 0.2)
    with wire(lambda c: c.stall()) as server:
        listed(server)
        fails(Later, server.url, settings)


def test_a_server_that_drips_for_ever_is_left_alone_until_later(listed, mp4, settings, monkeypatch):
    monkeypatch.setattr(storing, "TOTAL_SECONDS", -1)
    with wire(reply(mp4)) as server:
        listed(server)
        fails(Later, server.url, settings, "took too long")


def test_a_server_that_is_down_is_tried_again_later(settings):
    port = refused_port()
    settings.LUMA_RESULT_HOSTS = [f"127.0.0.1:{port}"]
    fails(Later, f"http://127.0.0.1:{port}/film.mp4", settings)


def test_a_server_that_speaks_no_http_is_tried_again_later(listed, settings):
    with wire(b"220 mail.example ESMTP\r\n") as server:
        listed(server)
        fails(Later, server.url, settings)


def test_a_name_that_is_not_found_is_tried_again_later(settings):
    fails(Later, "https://cdn.provider.invalid/film.mp4", settings, "could not be looked up")


@pytest.mark.parametrize(
    "link",
    [
        *("", "film.mp4", "ftp://cdn.provider.example/x", "file:///etc/passwd", "data:video/mp4;base64,AAAA"),
        *("https://user:secret@cdn.provider.example/x", "http://cdn.provider.example/x", "https://[::1/x"),
    ],
)
def test_a_link_of_another_kind_leads_nowhere(link, settings):
    fails(Gone, link, settings)


# --- sizes ----------------------------------------------------------------------------------------


def test_a_video_that_says_it_is_too_large_is_not_begun(listed, mp4, settings):
    settings.LUMA_MAX_VIDEO_BYTES = len(mp4) - 1
    with wire(reply(b"", Content_Length=str(len(mp4)))) as server:
        listed(server)
        fails(Gone, server.url, settings, "larger than")


def test_a_video_that_turns_out_too_large_is_given_up(listed, mp4, settings):
    settings.LUMA_MAX_VIDEO_BYTES = len(mp4) - 1
    with wire(reply(mp4, Content_Length="")) as server:
        listed(server)
        fails(Gone, server.url, settings, "larger than")


def test_a_video_of_just_the_largest_size_is_kept(listed, mp4, settings):
    settings.LUMA_MAX_VIDEO_BYTES = len(mp4)
    with wire(reply(mp4)) as server:
        listed(server)
        assert storing.fetch(KEY, server.url).size == len(mp4)


@pytest.mark.parametrize("length", ["-1", "9" * 30, "many", "1, 2"])
def test_a_nonsensical_length_does_no_harm(length, listed, mp4, settings):
    with wire(reply(mp4, Content_Length=length)) as server:
        listed(server)
        with suppress(Gone, Later):
            assert storing.fetch(KEY, server.url).size == len(mp4)


# --- where the connection goes --------------------------------------------------------------------


@pytest.mark.parametrize("status", ["301 Moved", "302 Found", "303 See", "307 Temporary", "308 Permanent"])
def test_a_redirect_to_a_private_address_is_not_followed(status, listed, settings):
    with wire(reply(b"stolen")) as canary:
        with wire(reply("", status, Location=f"{canary.url}/")) as server:
            listed(server)
            fails(Gone, server.url, settings)
        assert canary.connections == 0


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]", "10.0.0.1", "0x7f000001", "[::ffff:127.0.0.1]"])
def test_a_private_host_is_not_connected_to(host, settings, monkeypatch):
    monkeypatch.setattr(socket.socket, "connect", lambda *args: pytest.fail("it was connected to"))
    fails(Gone, f"https://{host}/film.mp4", settings, "private address")


def test_a_host_in_another_script_does_no_harm(settings, monkeypatch):
    names(monkeypatch, 例え_films_example=[["127.0.0.1"]])
    with wire(reply(b"x")) as server:
        link = f"http://例え.films.example:{server.port}/film.mp4"
        settings.LUMA_RESULT_HOSTS = [f"例え.films.example:{server.port}"]
        fails(Gone, link, settings)


@pytest.mark.parametrize("target", ["", "http://[", "http://", "//", "gopher://x/", "\xff\xfe", "https://\xff.\xfe/"])
def test_a_redirect_to_nonsense_is_given_up(target, listed, settings):
    with wire(reply("", "302 Found", Location=target)) as server:
        listed(server)
        with pytest.raises((Gone, Later)):
            storing.fetch(KEY, server.url)
    assert nothing_left(settings)


def test_redirects_in_a_circle_are_given_up(listed, settings):
    with wire(reply("", "302 Found", Location="/again")) as server:
        listed(server)
        fails(Gone, server.url, settings, "redirects too often")
        assert server.connections == storing.REDIRECTS_MOST + 1


def names(monkeypatch, **answers: list[list[str]]) -> list[str]:
    """Look-ups of each name answer the next list of addresses; the last stays. Answers what is looked up."""
    asked: list[str] = []
    real = socket.getaddrinfo

    def look_up(host, port, *args, **options):
        found = answers.get(str(host).replace(".", "_"))
        if found is None:
            return real(host, port, *args, **options)
        asked.append(host)
        addresses = found.pop(0) if len(found) > 1 else found[0]
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in addresses]

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    return asked


def test_a_name_that_leads_to_a_private_address_among_others_is_not_connected_to(settings, monkeypatch):
    names(monkeypatch, cdn_provider_example=[["8.8.8.8", "127.0.0.1"]])
    monkeypatch.setattr(socket.socket, "connect", lambda *args: pytest.fail("it was connected to"))
    fails(Gone, "https://cdn.provider.example/film.mp4", settings, "private address")


def test_a_name_that_changes_its_answer_is_looked_up_once(settings, monkeypatch):
    asked = names(monkeypatch, cdn_provider_example=[["8.8.8.8"], ["127.0.0.1"]])
    targets = []

    def connect(sock, address):
        targets.append(address)
        raise OSError(errno.EHOSTUNREACH, "no route")

    monkeypatch.setattr(socket.socket, "connect", connect)
    fails(Later, "https://cdn.provider.example/film.mp4", settings)
    assert targets == [("8.8.8.8", 443)]
    assert asked == ["cdn.provider.example"]


def test_the_certificate_must_be_for_the_name_though_the_address_is_connected_to(
    settings, monkeypatch, mp4, own_certificate
):
    monkeypatch.setattr(certifi, "where", lambda: str(own_certificate.file))
    names(monkeypatch, cdn_provider_example=[["127.0.0.1"]], other_example=[["127.0.0.1"]])
    with wire(reply(mp4), tls=own_certificate.context) as server:
        settings.LUMA_RESULT_HOSTS = [f"cdn.provider.example:{server.port}", f"other.example:{server.port}"]
        fails(Later, f"https://other.example:{server.port}/film.mp4", settings)
        assert server.requests == []
        storing.fetch(KEY, f"https://cdn.provider.example:{server.port}/film.mp4")
        assert f"Host: cdn.provider.example:{server.port}\r\n".encode() in server.requests[0]


def test_a_certificate_of_its_own_making_is_not_trusted(settings, listed, mp4, own_certificate):
    with wire(reply(mp4), tls=own_certificate.context) as server:
        listed(server)
        fails(Later, server.url, settings)
        assert server.requests == []


def test_proxies_of_the_environment_are_not_used(local_files, listed, mp4, monkeypatch):
    with wire(reply(b"")) as proxy, wire(reply(mp4)) as server:
        listed(server)
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, proxy.url)
        storing.fetch(KEY, server.url)
        assert proxy.connections == 0


# --- this machine at fault ------------------------------------------------------------------------


def full(*args, **options):
    raise OSError(errno.ENOSPC, "No space left on device")


def test_a_full_disk_is_waited_for_while_the_video_arrives(result_server, mp4, settings, monkeypatch):
    result_server.expect_request("/film.mp4").respond_with_data(mp4)
    monkeypatch.setattr(os, "fsync", full)
    fails(Later, result_server.url_for("/film.mp4"), settings, "No space left on device")


def test_a_full_disk_is_waited_for_while_the_poster_is_drawn(result_server, mp4, settings, monkeypatch):
    result_server.expect_request("/film.mp4").respond_with_data(mp4)
    monkeypatch.setattr(storing.shutil, "copyfileobj", full)
    fails(Later, result_server.url_for("/film.mp4"), settings, "No space left on device")


@pytest.mark.parametrize("folder", ["videos", "posters"])
def test_a_full_storage_is_waited_for_and_keeps_no_half(folder, result_server, mp4, settings, monkeypatch):
    result_server.expect_request("/film.mp4").respond_with_data(mp4)
    storage = type(storages["default"])
    real = storage.save

    def save(own, name, content, **options):
        return full() if name.startswith(folder) else real(own, name, content, **options)

    monkeypatch.setattr(storage, "save", save)
    fails(Later, result_server.url_for("/film.mp4"), settings, "No space left on device")


def test_a_data_folder_that_cannot_be_written_is_waited_for(settings, tmp_path):
    (tmp_path / "file").write_text("in the way")
    settings.DATA_DIR = tmp_path / "file"
    with pytest.raises(Later, match="this machine could not keep it"):
        storing.fetch(KEY, "https://cdn.provider.example/film.mp4")
