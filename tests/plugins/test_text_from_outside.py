"""What events, servers and other users write is shown in one line, and counted with a bound."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import pytest

from cvec_circus_cli.tables import tables_text
from cvec_circus_core import api
from cvec_circus_core.hosting.classes import PluginFacts, make
from cvec_circus_plugins import _http
from cvec_circus_plugins.notifier.message import LONGEST_VALUE, MOST_FACTS, Message
from cvec_circus_plugins.notifier.receivers import Mail, PermanentFailure, TemporaryFailure
from cvec_circus_plugins.notifier.settings import NotifierSettings
from cvec_circus_plugins.prometheus import MOST_SERIES, Prometheus
from cvec_circus_plugins.statsd import StatsdEmitter, metric_name

FORGED = "x\n2026-01-01 circus[1] [ERROR] forged\r\x1b[2J\u2028"
VISIBLE = r"x\n2026-01-01 circus[1] [ERROR] forged\r\x1b[2J\u2028"


def test_a_mail_has_no_lines_but_ours() -> None:
    message = Message(FORGED, FORGED, {"reason": FORGED, FORGED: "v", "big": "y" * 9000}, "here")
    assert message.summary.isprintable()
    assert len(message.summary) < 1000
    assert message.topic.isprintable()
    details = message.filled("$details")
    assert f"reason: {VISIBLE}" in details.split("\n")
    assert f"watcher: {VISIBLE}" in details.split("\n")
    assert all(line.isprintable() and len(line) < 1200 for line in details.split("\n"))
    assert message.filled("$reason") == VISIBLE
    assert len(message.filled("$big")) == LONGEST_VALUE


def test_an_event_with_many_values_is_cut() -> None:
    body = {f"key{number}": number for number in range(5 * MOST_FACTS)}
    assert Message("w", "e", body, "here").filled("$details").count("\n") < MOST_FACTS + 5


def test_json_keeps_what_fits() -> None:
    body = {"reason": FORGED, "big": "y" * 9000, "list": [1] * 9000, "short": [1, {"a": None}]}
    fields = json.loads(Message(FORGED, "e", body, "here").as_json())
    assert (fields["watcher"], fields["body"]["reason"]) == (FORGED, FORGED)
    assert fields["body"]["short"] == [1, {"a": None}]
    assert {len(fields["body"][key]) for key in ("big", "list")} == {LONGEST_VALUE}
    filled = Message(FORGED, "e", body, "here").filled('{"r": "$reason"}', as_json=True)
    assert json.loads(filled) == {"r": FORGED}


def test_a_subject_is_one_short_line() -> None:
    settings = NotifierSettings(mail_to=("a@b",), subject="$watcher $reason $big")
    message = Message(FORGED, "e", {"reason": FORGED, "big": "y" * 9000}, "here")
    subject = Mail(settings)._mail_message(message)["Subject"]
    assert str(subject).isprintable()
    assert len(subject) <= 200


@contextmanager
def answering(answer: bytes) -> Iterator[int]:
    """Serve one connection with these bytes; return the port."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            with server.accept()[0] as connection:
                connection.sendall(answer)
                connection.settimeout(10)
                connection.recv(65536)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield server.getsockname()[1]
        finally:
            thread.join(20)


@pytest.mark.parametrize(
    "answer", [b"\x1b[2J\nno http\r\n\r\n", b"H" * 60_000, b"HTTP/9 \x07\r\n\r\n"]
)
def test_an_answer_of_a_web_server_is_quoted_in_one_line(answer: bytes) -> None:
    with answering(answer) as port, pytest.raises(_http.NoResponse) as error:
        _http.send(_http.HttpRequest(url=f"http://127.0.0.1:{port}/", by_proxy=False), 5.0)
    assert str(error.value).isprintable()
    assert len(str(error.value)) <= 200


@pytest.mark.parametrize("code", [b"554", b"421"])
def test_an_answer_of_a_mail_server_is_quoted_in_one_line(code: bytes) -> None:
    answer = code + b" \x1b[2Jgo \xff away" + b"y" * 400 + b"\r\n"
    with answering(answer) as port:
        settings = NotifierSettings(mail_to=("a@b",), smtp_port=port, smtp_host="127.0.0.1")
        with pytest.raises((PermanentFailure, TemporaryFailure)) as error:
            Mail(settings).send(Message("w", "e", {}, "here"))
    assert str(error.value).startswith(code.decode() + r" \x1b[2Jgo")
    assert str(error.value).isprintable()
    assert len(str(error.value)) <= 210


@pytest.mark.parametrize(
    ("watcher", "name"),
    [("wätch er", "w_tch_er"), ("a:1|c\nb", "a_1_c_b"), ("x.y-z", "x_y-z"), ("w" * 999, "w" * 200)],
)
def test_a_metric_has_one_level_for_a_name(watcher: str, name: str) -> None:
    assert metric_name(watcher) == name


def test_statsd_takes_every_event() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))
        server.settimeout(10)
        config = {"host": "127.0.0.1", "port": str(server.getsockname()[1])}
        emitter: Any = make(StatsdEmitter, PluginFacts("c", "e", 1.0), config)
        emitter.handle_recv(("watcher.wätch|er.deployed", "{}"))
        assert server.recv(999) == b"circus.app.watcher.w_tch_er.deployed:1|c"
        emitter.handle_stop()


def test_nobody_fills_the_memory_of_prometheus() -> None:
    plugin: Any = make(Prometheus, PluginFacts("c", "e", 1.0), {})
    counts: dict[tuple[str, str], int] = {}

    class Counter:
        def labels(self, *labels: Any) -> Any:
            def count() -> None:
                counts[labels] = counts.get(labels, 0) + 1

            return SimpleNamespace(inc=count)

    plugin._events, plugin._counted = Counter(), set()
    for number in range(MOST_SERIES + 500):
        plugin.handle_recv((f"watcher.w.event{number}", json.dumps({"watcher": FORGED})))
    plugin.handle_recv(("watcher.w.event7", json.dumps({"watcher": FORGED})))
    assert len(counts) == MOST_SERIES + 1
    assert counts["", "others"] == 500
    assert counts[VISIBLE, "event7"] == 2


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\tb\nc\n", "a\tb\nc\n"),
        ("größe → 日本\n", "größe → 日本\n"),
        ("\x1b[2J\x07\r\n", "\\x1b[2J\\x07\\r\n"),
        ("\x9b31m\x7f\0", "\\x9b31m\\x7f\\x00"),
        ("\u202eexe.txt\u2028\udc80", "\\u202eexe.txt\\u2028\\udc80"),
    ],
)
def test_only_lines_and_tabs_act_on_a_terminal(text: str, shown: str) -> None:
    assert api.visible(text) == shown


@pytest.mark.parametrize("name", ["web\x1b[31m", "web\rapi"])
def test_cells_of_tables_do_not_paint(name: str) -> None:
    table = api.Table(("NAME",), [(name,)], notes={0: f"{name} says"})
    text = tables_text([table], colours=False, show=api.visible)
    assert text.replace("\n", "").isprintable()
    assert api.visible(name) in text
