"""Plugins of an arbiter inside a program."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest

from cvec_circus_core import BadMessage, CircusClient, get_arbiter

pytestmark = pytest.mark.live

ANY = "tcp://127.0.0.1:*"
USE = "tests.live.sample_plugins.Diary"


@pytest.mark.parametrize("isolate", [False, True])
def test_a_plugin_is_given_as_a_mapping(
    tmp_path: Path, isolate: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent.parent.parent))
    diary = tmp_path / "diary"
    arbiter = get_arbiter(
        [{"name": "web", "cmd": "sleep 100"}],
        ANY,
        ANY,
        check_delay=1.5,
        background=True,
        plugins=[{"use": USE, "isolate": isolate, "diary": str(diary), "name": "my diary"}],
    )
    arbiter.start()
    try:
        assert arbiter.endpoints is not None
        with CircusClient(endpoint=arbiter.endpoints[0]) as client:
            end = time.monotonic() + 30
            while '"hello"' not in (diary.read_text() if diary.exists() else ""):
                assert time.monotonic() < end
                client.send_message("announce", name="web", event="hello")
                time.sleep(0.02)
            running: list[dict[str, Any]] = client.send_message("plugins")["running"]
        assert [(one["name"], one["host"]) for one in running] == [
            ("my diary", "process" if isolate else "thread")
        ]
    finally:
        arbiter.stop()
    lines = [json.loads(line) for line in diary.read_text().splitlines()]
    assert (lines[0]["check_delay"], lines[0]["config"]) == (1.5, {})
    assert lines[-1] == {"what": "stop", "status": "ok"}


def test_a_plugin_without_a_class_is_refused() -> None:
    with pytest.raises(BadMessage, match="'use' is missing"):
        get_arbiter("sleep 1", plugins=[{"filename": "x"}])
