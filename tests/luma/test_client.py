"""The provider's client against real sockets: which failure may be repeated, and that no paid request ever is."""

from __future__ import annotations

import io
import json
import traceback
from pathlib import Path

import pytest

from tests.wire import Wire, refused_port, reply, wire
from videos.luma.client import LumaClient
from videos.luma.errors import AccountProblem, LostAnswer, LumaError, RateLimited, Rejected, Unreachable
from videos.luma.schema import Completed, Failed, Running

TOKEN = "token-that-nobody-may-see"
PLATFORM_TOKEN = "platform-token-that-nobody-may-see"
BODY = {"action": "generate", "prompt": "a red fox", "async": True}
PAYLOADS = Path(__file__).parent / "payloads"
HTML = (PAYLOADS / "gateway.html").read_bytes()


def client(url: str, token: str = TOKEN, read_seconds: float = 5) -> LumaClient:
    return LumaClient(
        token, url, platform_token=PLATFORM_TOKEN, platform_base_url=url, connect_seconds=2, read_seconds=read_seconds
    )


def error(status: str, code: str = "", message: str = "No.", **headers: str) -> bytes:
    found = {"error": {"code": code, "message": message}, "trace_id": "trace-1"}
    return reply(json.dumps(found), status, **headers)


def head_and_body(server: Wire) -> tuple[bytes, dict]:
    head, _, body = server.requests[0].partition(b"\r\n\r\n")
    return head, json.loads(body)


def create_fails(server: Wire, kind: type[LumaError], **options) -> LumaError:
    """The exception of a create, which sent one request and no more, and told no secret."""
    with pytest.raises(LumaError) as caught:
        client(server.url, **options).create(BODY)
    assert type(caught.value) is kind
    assert (server.connections, len(server.requests)) == (1, 1)
    assert TOKEN not in "".join(traceback.format_exception(caught.value))
    return caught.value


# --- what is sent, and what comes back ------------------------------------------------------------


def test_a_video_is_asked_for_with_one_post():
    with wire(reply('{"task_id": "task-1"}')) as server:
        assert client(server.url).create(BODY) == Running("task-1")
    head, body = head_and_body(server)
    assert head.startswith(b"POST /luma/videos HTTP/1.1\r\n")
    assert b"Authorization: Bearer " + TOKEN.encode() in head
    assert b"Content-Type: application/json" in head
    assert body == BODY
    assert len(server.requests) == 1


def test_the_base_url_may_have_a_path():
    with wire(reply('{"task_id": "task-1"}')) as server:
        client(server.url + "/proxy/").create(BODY)
    assert server.requests[0].startswith(b"POST /proxy/luma/videos ")


def test_a_result_that_came_at_once_is_the_answer():
    with wire(reply((PAYLOADS / "result_plain.json").read_bytes())) as server:
        assert isinstance(client(server.url).create(BODY), Completed)


def test_a_task_that_failed_at_once_is_the_answer():
    with wire(reply((PAYLOADS / "failed_structured.json").read_bytes())) as server:
        assert isinstance(client(server.url).create(BODY), Failed)


def test_one_task_is_asked_about():
    with wire(reply((PAYLOADS / "task_completed.json").read_bytes())) as server:
        task = client(server.url).retrieve("task-1")
    assert isinstance(task.reading, Completed)
    head, body = head_and_body(server)
    assert head.startswith(b"POST /luma/tasks ")
    assert body == {"action": "retrieve", "id": "task-1"}


def test_an_unknown_task_is_none():
    with wire(reply("{}")) as server:
        assert client(server.url).retrieve("task-1") is None


def test_many_tasks_are_asked_about_at_once():
    with wire(reply((PAYLOADS / "batch.json").read_bytes())) as server:
        tasks = client(server.url).retrieve_batch(["task-1", "task-2"])
    assert [task.id for task in tasks] == ["task-1", "task-2"]
    assert head_and_body(server)[1] == {"action": "retrieve_batch", "ids": ["task-1", "task-2"]}


@pytest.mark.parametrize("count", [0, 51])
def test_a_batch_has_one_to_fifty_tasks(count):
    with pytest.raises(ValueError, match="between 1 and 50"):
        client("http://127.0.0.1:9").retrieve_batch(["x"] * count)


def test_the_history_is_asked_for_page_by_page():
    with wire(reply((PAYLOADS / "batch.json").read_bytes())) as server:
        tasks = client(server.url).recent(1720000000.9, offset=100)
    assert [task.id for task in tasks] == ["task-1", "task-2"]
    asked = {"action": "retrieve_batch", "limit": 100, "offset": 100, "created_at_min": 1720000000}
    assert head_and_body(server)[1] == asked


@pytest.mark.parametrize("name", ["url", "file_url"])
def test_an_upload_answers_the_link_by_either_name(name):
    with wire(reply(json.dumps({name: "https://cdn.provider.example/f.png"}))) as server:
        link = client(server.url).upload(io.BytesIO(b"picture"), "frame.png", "image/png")
    assert link == "https://cdn.provider.example/f.png"
    request = server.requests[0]
    assert request.startswith(b"POST /api/v1/files/ ")
    assert b"Authorization: Bearer " + PLATFORM_TOKEN.encode() in request
    assert b'name="file"; filename="frame.png"' in request
    assert b"Content-Type: image/png\r\n\r\npicture\r\n" in request
    assert TOKEN.encode() not in request.replace(PLATFORM_TOKEN.encode(), b"")


@pytest.mark.parametrize("found", [{}, {"url": "javascript:x"}, {"url": None, "file_url": 5}])
def test_an_upload_without_a_usable_link_is_lost(found):
    with wire(reply(json.dumps(found))) as server, pytest.raises(LostAnswer):
        client(server.url).upload(io.BytesIO(b"picture"), "frame.png", "image/png")


# --- the provider's errors ------------------------------------------------------------------------

ERRORS = [
    ("400 Bad Request", "bad_request", Rejected),
    ("400 Bad Request", "api_not_implemented", Rejected),
    ("400 Bad Request", "no_token", AccountProblem),
    ("400 Bad Request", "token_mismatched", AccountProblem),
    ("401 Unauthorized", "token_mismatched", AccountProblem),
    ("400 Bad Request", "invalid_token", AccountProblem),
    ("401 Unauthorized", "invalid_token", AccountProblem),
    ("400 Bad Request", "token_expired", AccountProblem),
    ("401 Unauthorized", "token_expired", AccountProblem),
    ("401 Unauthorized", "", AccountProblem),
    ("403 Forbidden", "used_up", AccountProblem),
    ("403 Forbidden", "disabled", AccountProblem),
    ("403 Forbidden", "forbidden", Rejected),
    ("403 Forbidden", "", Rejected),
    ("404 Not Found", "no_api", AccountProblem),
    ("413 Too Large", "", Rejected),
    ("422 Unprocessable", "", Rejected),
    ("429 Too Many Requests", "too_many_requests", RateLimited),
    ("408 Request Timeout", "", LostAnswer),
    ("500 Error", "api_error", LostAnswer),
    ("502 Bad Gateway", "", LostAnswer),
    ("503 Unavailable", "", LostAnswer),
    ("504 Gateway Timeout", "timeout", LostAnswer),
    ("201 Created", "", LostAnswer),
    ("204 No Content", "", LostAnswer),
    ("304 Not Modified", "", LostAnswer),
]


@pytest.mark.parametrize(("status", "code", "kind"), ERRORS)
def test_an_error_means(status, code, kind):
    with wire(error(status, code, "In its own words.")) as server:
        fault = create_fails(server, kind)
    assert fault.status == int(status[:3])
    if status[:3] not in ("204", "304"):
        assert (fault.code, fault.message, fault.trace_id) == (code, "In its own words.", "trace-1")


@pytest.mark.parametrize("call", ["retrieve", "retrieve_batch", "recent", "upload"])
@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [("429 Slow", "too_many_requests", RateLimited), ("403 No", "used_up", AccountProblem), ("500 X", "", LostAnswer)],
)
def test_every_call_raises_the_same_errors(call, status, code, kind):
    arguments = {
        "retrieve": ("task-1",),
        "retrieve_batch": (["task-1"],),
        "recent": (0,),
        "upload": (io.BytesIO(b"x"), "f.png", "image/png"),
    }
    with wire(error(status, code)) as server, pytest.raises(kind):
        getattr(client(server.url), call)(*arguments[call])
    assert len(server.requests) == 1


@pytest.mark.parametrize("code", ["used_up", "disabled", "invalid_token"])
def test_an_account_problem_told_with_a_200_is_one_all_the_same(code):
    with wire(error("200 OK", code)) as server:
        create_fails(server, AccountProblem)


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("7", 7.0),
        ("0", 0.0),
        ("soon", None),
        ("-5", None),
        ("1e9", None),
        ("9999999", None),
        ("\xb2", None),
        ("", None),
    ],
)
def test_a_rate_limit_tells_how_long_to_wait(header, seconds):
    with wire(error("429 Too Many Requests", "too_many_requests", Retry_After=header)) as server:
        assert create_fails(server, RateLimited).retry_after == seconds


def test_a_message_is_cleaned_and_cut():
    with wire(error("403 Forbidden", "forbidden", "\x00" + "m" * 9000 + "\ud800")) as server:
        assert create_fails(server, Rejected).message == "m" * 2000


def test_an_error_page_of_a_gateway_is_not_repeated_to_people():
    with wire(reply(HTML, "502 Bad Gateway", Content_Type="text/html")) as server:
        assert create_fails(server, LostAnswer).message == "The provider answered with status 502."


# --- lost answers: it may have been made ----------------------------------------------------------

LOST = {
    "a page of HTML": reply(HTML, Content_Type="text/html"),
    "nothing": reply(""),
    "null": reply("null"),
    "a list": reply("[]"),
    "no task": reply("{}"),
    "success without a task": reply('{"success": true}'),
    "an error in words": reply('{"success": false, "error": "hm"}'),
    "too many bytes": reply(b"{" + b" " * (5 * 1024 * 1024) + b"}"),
    "half of a body": reply('{"task_id"', Content_Length="500"),
    "broken gzip": reply(b"no gzip", Content_Encoding="gzip"),
    "broken chunks": reply(b"zz\r\n", Content_Length="", Transfer_Encoding="chunked"),
    "no HTTP": b"220 mail.example ESMTP\r\n",
    "half of a head": b"HTTP/1.1 200 OK\r\nContent-",
    "no byte": lambda connection: None,
    "a reset": lambda connection: connection.reset(),
    "a reset within the body": lambda connection: (connection.send(b"HTTP/1.1 200 OK\r\n"), connection.reset()),
}


@pytest.mark.parametrize("answer", LOST.values(), ids=LOST)
def test_the_answer_is_lost_when_it_is(answer):
    with wire(answer) as server:
        create_fails(server, LostAnswer)


def test_the_answer_is_lost_when_none_comes_in_time():
    with wire(lambda connection: connection.stall()) as server:
        create_fails(server, LostAnswer, read_seconds=0.2)


def test_the_answer_is_lost_when_its_rest_does_not_come_in_time():
    with wire(lambda connection: (connection.send(reply("{}", Content_Length="9")), connection.stall())) as server:
        create_fails(server, LostAnswer, read_seconds=0.2)


@pytest.mark.parametrize("status", ["301 Moved", "302 Found", "303 See", "307 Temporary", "308 Permanent"])
@pytest.mark.parametrize("target", ["", "http://[", "http://", "//", "gopher://x", "\xff\xfe", "{url}/elsewhere"])
def test_a_redirect_is_never_followed(status, target):
    with wire(reply('{"task_id": "task-2"}')) as elsewhere:
        with wire(reply("", status, Location=target.format(url=elsewhere.url))) as server:
            create_fails(server, LostAnswer)
        assert elsewhere.connections == 0


# --- not sent: surely nothing was made ------------------------------------------------------------


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_nothing_was_sent_where_nobody_listens(scheme):
    with pytest.raises(Unreachable) as caught:
        client(f"{scheme}://127.0.0.1:{refused_port()}").create(BODY)
    assert TOKEN not in "".join(traceback.format_exception(caught.value))


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_nothing_was_sent_to_an_unknown_name(scheme):
    with pytest.raises(Unreachable):
        client(f"{scheme}://api.provider.invalid").create(BODY)


def test_nothing_was_sent_where_plain_text_answers_for_tls():
    with wire(b"HTTP/1.1 400 Bad Request\r\n\r\n") as server:
        with pytest.raises(Unreachable):
            client(server.url.replace("http://", "https://")).create(BODY)
        assert server.connections == 1
        assert not any(b"luma" in request for request in server.requests)


def test_nothing_was_sent_to_a_server_with_a_certificate_of_its_own_making(own_certificate):
    with wire(reply('{"task_id": "task-1"}'), tls=own_certificate.context) as server:
        with pytest.raises(Unreachable):
            client(server.url).create(BODY)
        assert server.requests == []


# --- nothing of this machine's surroundings -------------------------------------------------------


def test_proxies_of_the_environment_are_not_used(monkeypatch):
    with wire(reply('{"task_id": "stolen"}')) as proxy, wire(reply('{"task_id": "task-1"}')) as server:
        for name in ("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "ALL_PROXY", "all_proxy"):
            monkeypatch.setenv(name, proxy.url)
        monkeypatch.setenv("NO_PROXY", "")
        assert client(server.url).create(BODY) == Running("task-1")
        assert proxy.connections == 0


def test_a_netrc_does_not_replace_the_token(monkeypatch, tmp_path):
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login someone password else\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    with wire(reply('{"task_id": "task-1"}')) as server:
        client(server.url).create(BODY)
    assert b"Bearer " + TOKEN.encode() in server.requests[0]


def test_each_call_has_a_connection_of_its_own():
    with wire(reply('{"task_id": "task-1"}', Connection="keep-alive")) as server:
        one = client(server.url)
        one.create(BODY)
        one.create(BODY)
        assert server.connections == 2


def test_a_token_with_strange_letters_is_the_providers_to_refuse():
    with wire(error("401 Unauthorized", "invalid_token")) as server, pytest.raises(AccountProblem):
        client(server.url, token="tökén…").create(BODY)


def test_a_prompt_in_any_script_arrives_as_it_was_written():
    prompt = "一只红狐狸 🦊 \x00 \ud800"
    with wire(reply('{"task_id": "task-1"}')) as server:
        client(server.url).create({**BODY, "prompt": prompt})
    assert head_and_body(server)[1]["prompt"] == prompt
