"""What the receiver of a callback sees."""

import pytest

from tests.sandbox.conftest import until


def test_a_callback_brings_the_same_result_as_the_task(client, receiver):
    task_id = client.make(callback_url=receiver.url)

    until(lambda: receiver.seen)

    assert receiver.seen == [client.task(task_id)["response"]]
    assert receiver.paths == ["/callbacks/secret/"]
    sent = until(client.sandbox.ledger.callbacks)
    assert [(row["task_id"], row["status"]) for row in sent] == [(task_id, 200)]


def test_a_failure_is_called_back_with_its_error(client, receiver):
    task_id = client.make("a cat [fail]", callback_url=receiver.url)

    until(lambda: receiver.seen)

    told = receiver.seen[0]
    assert told.keys() == {"success", "task_id", "trace_id", "error"}
    assert (told["success"], told["task_id"], told["error"]["code"]) == (False, task_id, "api_error")
    assert client.sandbox.ledger.charges() == {}


@pytest.mark.parametrize("status", [500, 307])
def test_a_callback_is_sent_once_whatever_the_receiver_answers(client, receiver, status):
    receiver.status = status
    client.make(callback_url=receiver.url)

    sent = until(client.sandbox.ledger.callbacks)

    assert [row["status"] for row in sent] == [status]
    client.finish("another, to give a second callback time to come")
    assert receiver.paths == ["/callbacks/secret/"]


def test_a_receiver_that_is_not_there_is_noted(client):
    client.make(callback_url="http://127.0.0.1:1/x")

    sent = until(client.sandbox.ledger.callbacks)

    assert (sent[0]["status"], sent[0]["error"]) == (None, "ConnectionError")


def test_charges_are_counted_by_callback_address(client, receiver):
    for _ in range(2):
        client.make(callback_url=receiver.url)
    other = client.make()

    assert client.sandbox.ledger.charges() == {receiver.url: 2, other: 1}
