"""Options as texts on a page: what is shown can be sent back, and means the same."""

from __future__ import annotations

import pytest

from cvec_circus_core.api import WatcherSpec, declared_options
from cvec_circus_plugins.httpd.option_rows import option_rows, option_text, read_texts

DECLARED = {
    name: option for name, option in declared_options(WatcherSpec).items() if not option.inert
}


@pytest.mark.parametrize("name", DECLARED)
def test_a_default_that_is_shown_is_read_as_itself(name: str) -> None:
    option = DECLARED[name]
    default = option.kind.show(option.default)
    text = option_text(option.kind.name, default)
    assert read_texts({name: text}) == {name: default}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("args", "'a b' \"c'd\" ''"),
        ("env", {"A": "1", "B": "x, y=z"}),
        ("sockets", ["web", "admin"]),
        ("shell", True),
        ("numprocesses", 7),
        ("graceful_timeout", 1.5),
        ("umask", "022"),
    ],
)
def test_a_value_that_is_shown_is_read_as_itself(name: str, value: object) -> None:
    text = option_text(DECLARED[name].kind.name, value)
    assert read_texts({name: text}) == {name: value}


def test_rows_of_streams_hooks_and_limits() -> None:
    rows = {
        row.name: row
        for row in option_rows(
            {
                "cmd": "web",
                "stdout_stream_conf": {"class": "FileStream", "filename": "/x"},
                "rlimit_nofile": 512,
                "hooks": {},
            }
        )
    }
    assert rows["stdout_stream.filename"].text == "/x"
    assert rows["rlimit_nofile"].text == "512"
    assert rows["cmd"].needs == "processes are replaced by a graceful reload"
    assert rows["cmd"].is_default is False


def test_a_wrong_text_is_told_in_a_sentence() -> None:
    with pytest.raises(ValueError, match="numprocesses isn't an integer"):
        read_texts({"numprocesses": "many"})
