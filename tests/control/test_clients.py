"""The clients against daemons that answer late, twice, to others, or not at all."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import zmq

from cvec_circus_core import AsyncCircusClient, CallError, CircusClient
from cvec_circus_core.control.calls import cast_message, make_json, make_message
from cvec_circus_core.control.consumer import CircusConsumer
from cvec_circus_core.model.errors import NoAnswer, NothingListens
from tests.cli.answering import Answering

OK = {"status": "ok"}
REFUSED = {"status": "error", "reason": "no", "errno": 3}


def call_blocking(endpoint: str, *messages: Any, timeout: float = 5.0) -> list[Any]:
    """Return what a blocking client got for each message: a reply, or the error it raised."""
    got: list[Any] = []
    with CircusClient(endpoint=endpoint, timeout=timeout) as client:
        for message in messages:
            try:
                got.append(client.call(message))
            except CallError as error:
                got.append(error)
    return got


def call_async(endpoint: str, *messages: Any, timeout: float = 5.0) -> list[Any]:
    """Return what an asynchronous client got for each message, one after the other."""

    async def calls() -> list[Any]:
        got: list[Any] = []
        async with AsyncCircusClient(endpoint=endpoint, timeout=timeout) as client:
            for message in messages:
                try:
                    got.append(await client.call(message))
                except CallError as error:
                    got.append(error)
        return got

    return asyncio.run(calls())


both = pytest.mark.parametrize("call", [call_blocking, call_async])
Call = Callable[..., list[Any]]


@both
def test_a_reply_comes_back_under_the_callers_id(call: Call) -> None:
    with Answering(lambda request: {**OK, "pids": [1]}) as there:
        mine = {**make_message("list", name="web"), "id": 7}
        replies = call(there.endpoint, mine, make_message("list"))
    assert replies[0] == {"status": "ok", "time": 1.0, "pids": [1], "id": 7}
    sent = there.requests
    assert [one["properties"] for one in sent] == [{"name": "web"}, {}]
    assert len({one["id"] for one in sent}) == 2
    assert all(len(one["id"]) == 32 for one in sent)
    assert replies[1]["id"] == sent[1]["id"]


@both
def test_an_error_reply_is_a_reply(call: Call) -> None:
    with Answering(lambda request: REFUSED) as there:
        (reply,) = call(there.endpoint, make_message("stop", name="nope"))
    assert reply["reason"] == "no"


@both
def test_nothing_listens(call: Call, tmp_path: Path) -> None:
    endpoint = f"ipc://{tmp_path}/none"
    (error,) = call(endpoint, make_message("list"), timeout=0.1)
    assert isinstance(error, NothingListens)
    assert error.reason == (
        f"nothing listens at {endpoint} (tried for 0.1 s): "
        "is the daemon running, and is this its endpoint?"
    )


@both
def test_somebody_listens_who_does_not_talk(call: Call) -> None:
    with socket.create_server(("127.0.0.1", 0)) as mute:
        endpoint = f"tcp://127.0.0.1:{mute.getsockname()[1]}"
        (error,) = call(endpoint, make_message("list"), timeout=0.1)
    assert isinstance(error, NoAnswer)


@both
def test_the_reply_to_a_call_that_was_given_up_is_not_taken_for_another(call: Call) -> None:
    requests: list[dict[str, Any]] = []

    def answer(request: dict[str, Any]) -> Any:
        requests.append(request)
        late = {**OK, "numprocesses": 1, "id": requests[0]["id"]}
        return None if len(requests) == 1 else [late, {**OK, "numprocesses": 2}]

    with Answering(answer) as there:
        given_up, reply = call(
            there.endpoint, make_message("one"), make_message("two"), timeout=0.3
        )
    assert isinstance(given_up, NoAnswer)
    assert f"no answer from {there.endpoint} in 0.3 s" in given_up.reason
    assert reply["numprocesses"] == 2


@both
@pytest.mark.parametrize("body", [b"{nope", b"[]", b"3", b'{"id": [1]}', b'{"status": "ok"}', b""])
def test_what_is_no_reply_is_skipped(call: Call, body: bytes) -> None:
    there: Answering

    def answer(request: dict[str, Any]) -> Any:
        there.send_raw(request["id"], body)
        return OK

    with Answering(answer) as there:
        (reply,) = call(there.endpoint, make_message("list"))
    assert reply["status"] == "ok"


@both
def test_replies_to_others_do_not_make_the_time_longer(call: Call) -> None:
    def answer(request: dict[str, Any]) -> Any:
        for _ in range(200):
            there.send_raw(request["id"], b'{"status": "ok", "id": "alien"}')
            if has_given_up.wait(0.05):
                break

    has_given_up = threading.Event()
    with Answering(answer) as there:
        start = time.monotonic()
        (error,) = call(there.endpoint, make_message("list"), timeout=0.2)
        assert time.monotonic() - start < 5
        has_given_up.set()
    assert isinstance(error, NoAnswer)


@both
def test_a_cast_waits_for_nobody(call: Call) -> None:
    with Answering(lambda request: None) as there:
        cast, error = call(there.endpoint, cast_message("quit"), make_message("list"), timeout=0.2)
    assert cast == {}
    assert isinstance(error, NoAnswer)
    assert [one.get("msg_type") for one in there.requests] == ["cast", None]


@both
@pytest.mark.parametrize("message", ["list", b"list", None, ["list"]])
def test_a_message_is_a_mapping(call: Call, message: Any) -> None:
    with Answering(lambda request: OK) as there, pytest.raises(TypeError):
        call(there.endpoint, message)


@both
def test_a_message_is_json(call: Call) -> None:
    with Answering(lambda request: OK) as there:
        (error,) = call(there.endpoint, make_message("list", name={1, 2}))
    assert isinstance(error, CallError)


@both
@pytest.mark.parametrize("endpoint", ["nonsense", "tcp://", "smoke://signals:1"])
def test_an_endpoint_that_can_not_be(call: Call, endpoint: str) -> None:
    with pytest.raises(CallError, match="can not connect to"):
        call(endpoint, make_message("list"))


def test_ssh_leads_to_tcp_only() -> None:
    with pytest.raises(CallError, match="ssh leads to tcp endpoints only, not to 'ipc://x'"):
        CircusClient(endpoint="ipc://x", ssh_server="somewhere")


def test_a_client_may_share_a_context() -> None:
    context = zmq.Context()
    with Answering(lambda request: OK) as there:
        with CircusClient(context, there.endpoint) as client:
            assert client.send_message("list", name="x")["status"] == "ok"
        assert not context.closed
    context.term()


def test_a_command_is_not_delivered_after_its_call_was_given_up(tmp_path: Path) -> None:
    endpoint = f"ipc://{tmp_path}/control"
    with CircusClient(endpoint=endpoint, timeout=0.1) as client:
        with pytest.raises(NothingListens):
            client.send_message("quit")
        with Answering(lambda request: OK, endpoint) as there:
            client.timeout = 5.0
            client.send_message("list")
    assert [command for command, _ in there.asked] == ["list"]


def test_many_calls_at_once_are_told_apart() -> None:
    requests: list[dict[str, Any]] = []

    def backwards(request: dict[str, Any]) -> Any:
        requests.append(request)
        if len(requests) < 50:
            return None
        return [{"id": one["id"], "n": one["properties"]["n"]} for one in reversed(requests)]

    async def calls(endpoint: str) -> list[Any]:
        async with AsyncCircusClient(endpoint=endpoint) as client:
            several = [client.send_message("list", n=number) for number in range(50)]
            return [reply["n"] for reply in await asyncio.gather(*several)]

    with Answering(backwards) as there:
        assert asyncio.run(calls(there.endpoint)) == list(range(50))


def test_calls_under_way_are_told_when_the_client_stops() -> None:
    arrived = threading.Event()

    async def calls(endpoint: str) -> BaseException | None:
        client = AsyncCircusClient(endpoint=endpoint)
        waiting = asyncio.create_task(client.send_message("list"))
        assert await asyncio.to_thread(arrived.wait, 5)
        await client.stop()
        await asyncio.wait([waiting], timeout=1)
        assert asyncio.all_tasks() == {asyncio.current_task()}
        return waiting.exception()

    with Answering(lambda request: arrived.set()) as there:
        error = asyncio.run(calls(there.endpoint))
    assert isinstance(error, CallError)
    assert error.reason == "the client was stopped"


def test_a_cancelled_call_leaves_nothing_behind() -> None:
    async def calls(endpoint: str) -> dict[str, Any]:
        async with AsyncCircusClient(endpoint=endpoint) as client:
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(client.send_message("slow"), 0.1)
            return await client.send_message("list")

    with Answering(lambda request: None if request["command"] == "slow" else OK) as there:
        assert asyncio.run(calls(there.endpoint))["status"] == "ok"


def test_messages() -> None:
    assert make_message("list", name="web") == {"command": "list", "properties": {"name": "web"}}
    assert cast_message("quit") == {"command": "quit", "properties": {}, "msg_type": "cast"}
    assert make_json("list", name="web") == '{"command": "list", "properties": {"name": "web"}}'


def test_a_consumer_yields_what_is_published() -> None:
    context = zmq.Context()
    publisher = context.socket(zmq.XPUB)
    port = publisher.bind_to_random_port("tcp://127.0.0.1")
    try:
        topics = ["watcher.web"]
        with CircusConsumer(topics, context, f"tcp://127.0.0.1:{port}") as consumer:
            assert consumer.wait_connected(5)
            assert publisher.recv() == b"\x01watcher.web"
            publisher.send_multipart([b"watcher.db.spawn", b"{}"])
            publisher.send_multipart([b"watcher.web.odd"])
            publisher.send_multipart([b"watcher.web.spawn", b'{"process_pid": 1}'])
            assert next(iter(consumer)) == (b"watcher.web.spawn", b'{"process_pid": 1}')
    finally:
        publisher.close(linger=0)
        context.term()


@both
@pytest.mark.parametrize("transport", ["ipc", "tcp"])
def test_the_last_word_before_the_connection_ends_arrives(
    call: Call, transport: str, tmp_path: Path
) -> None:
    for number in range(40):
        with zmq.Context() as context, context.socket(zmq.ROUTER) as router:
            router.bind(f"ipc://{tmp_path}/{number}" if transport == "ipc" else "tcp://127.0.0.1:*")
            endpoint = router.getsockopt_string(zmq.LAST_ENDPOINT)
            told = threading.Thread(target=_answer_and_end, args=(router,))
            told.start()
            (reply,) = call(endpoint, make_message("quit", waiting=True), timeout=30.0)
            told.join(30)
        assert isinstance(reply, dict), f"lost in round {number}: {reply}"


def _answer_and_end(router: zmq.Socket[bytes]) -> None:
    _answer(router)
    router.close(linger=1000)


def test_what_was_given_up_is_not_carried_out_by_the_next_daemon(tmp_path: Path) -> None:
    endpoint = f"ipc://{tmp_path}/control"
    with zmq.Context() as context, CircusClient(endpoint=endpoint, timeout=0.3) as client:
        first = context.socket(zmq.ROUTER)
        first.bind(endpoint)
        # It ends between the look whether somebody is there and the request.
        client.check_listener = lambda: first.close(linger=0)
        with pytest.raises(NoAnswer):
            client.send_message("quit")
        client.check_listener = lambda: None
        with context.socket(zmq.ROUTER) as second:
            second.bind(endpoint)
            client.timeout = 30.0
            told = threading.Thread(target=client.send_message, args=("list",))
            told.start()
            peer, body = second.recv_multipart()
            second.send_multipart([peer, json.dumps({"id": json.loads(body)["id"]}).encode()])
            told.join(30)
    assert json.loads(body)["command"] == "list"


@pytest.mark.parametrize("kind", ["blocking", "async"])
def test_a_daemon_in_the_same_process(kind: str) -> None:
    endpoint = "inproc://control"
    with zmq.Context() as context, context.socket(zmq.ROUTER) as router:
        router.bind(endpoint)
        answering = threading.Thread(target=_answer, args=(router,))
        answering.start()
        if kind == "blocking":
            with CircusClient(context, endpoint) as client:
                reply = client.send_message("list")
        else:

            async def ask() -> dict[str, Any]:
                async with AsyncCircusClient(context, endpoint) as client:
                    return await client.send_message("list")

            reply = asyncio.run(ask())
        answering.join(30)
    assert reply["status"] == "ok"


def _answer(router: zmq.Socket[bytes]) -> None:
    peer, body = router.recv_multipart()
    router.send_multipart([peer, json.dumps({**OK, "id": json.loads(body)["id"]}).encode()])
