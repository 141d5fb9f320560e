"""The commands about keys, as they are typed."""

from __future__ import annotations

import os
import re
import stat
from pathlib import Path

import pytest

from cvec_circus_cli.circusctl import main

KEY = "ab" * 32
OTHER = "cd" * 32


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the folder that $CIRCUS_KEYS names."""
    monkeypatch.setenv("CIRCUS_KEYS", str(tmp_path / "keys"))
    monkeypatch.setenv("USER", "alice")
    return tmp_path / "keys"


def test_a_key_is_made_once(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["keygen"]) == 0
    made = capsys.readouterr().out
    assert main(["keygen"]) == 0
    again = capsys.readouterr().out
    assert "is made; show it to nobody" in made
    assert "already exists, and stays" in again
    assert made.splitlines()[-1] == again.splitlines()[-1]
    assert re.fullmatch(r"  circusctl authorize alice [0-9a-f]{64}", made.splitlines()[-1])
    file = folder / "client.key"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    secret = file.read_text(encoding="utf-8").split("secret = ")[1].strip()
    assert secret not in made + again


def test_a_key_for_a_daemon(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["keygen", "--daemon"]) == 0
    said = capsys.readouterr().out
    assert f"curve_key = {folder / 'daemon.key'} in [circus]" in said
    assert re.search(rf"circusctl trust {re.escape(os.uname().nodename)} [0-9a-f]{{64}}\n", said)


def test_who_is_let_in(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["keys"]) == 0
    assert main(["authorize", "alice", KEY]) == 0
    assert main(["authorize", "--role=operator", "bob", OTHER]) == 0
    assert main(["authorize", "alice", KEY, "--role", "guest"]) == 0
    assert main(["keys"]) == 0
    assert main(["revoke", "bob"]) == 0
    assert main(["keys", "--file", str(folder / "authorized_keys")]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "nobody is let in by key",
        "alice is let in as viewer from the next circusctl reloadconfig on",
        "bob is let in as operator from the next circusctl reloadconfig on",
        "alice is let in as guest from the next circusctl reloadconfig on",
        f"bob operator {OTHER}",
        f"alice guest {KEY}",
        "bob is let in no more from the next circusctl reloadconfig on",
        f"alice guest {KEY}",
    ]


def test_a_daemon_is_remembered(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["trust", "There:5555", KEY]) == 0
    assert main(["trust", "tcp://there", OTHER]) == 0
    assert main(["trust", "there:5555", OTHER]) == 0
    text = (folder / "known_daemons").read_text(encoding="utf-8")
    assert text.splitlines()[1:] == [f"there:5555 {OTHER}", f"there {OTHER}"]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["authorize", "alice"], "KEY is missing"),
        (["authorize", "alice", "123"], "'123' is no key: one has 64 hexadecimal digits"),
        (["authorize", "a b", KEY], "'a b' can not be a name"),
        (["authorize", "alice", KEY, "--role", "king"], "--role is one of operator, viewer, guest"),
        (["authorize", "alice", OTHER], "alice has another key already: circusctl revoke alice"),
        (["authorize", "eve", KEY], "this is the key of alice already"),
        (["revoke", "eve"], "lists nobody named 'eve'"),
        (["revoke"], "NAME is missing"),
        (["trust", "ipc:///run/x", KEY], "a daemon is at HOST or HOST:PORT, not at"),
        (["keygen", "--nonsense"], "keygen has no switch --nonsense"),
        (["keygen", "/dev/null/x"], "not a directory"),
    ],
)
def test_mistakes_are_told(
    folder: Path, capsys: pytest.CaptureFixture[str], words: list[str], told: str
) -> None:
    main(["authorize", "alice", KEY])
    capsys.readouterr()
    assert main(words) == 2
    found = capsys.readouterr()
    assert told in found.err
    assert found.out == ""


@pytest.mark.parametrize("name", ["keygen", "authorize", "revoke", "keys", "trust"])
def test_each_has_a_manual(folder: Path, capsys: pytest.CaptureFixture[str], name: str) -> None:
    assert main(["help", name]) == 0
    manual = capsys.readouterr().out
    assert main([name, "--help"]) == 0
    assert capsys.readouterr().out == manual
    assert manual.startswith(f"usage: circusctl [--keys FOLDER] {name}")


def test_the_folder_may_be_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--keys", str(tmp_path / "x"), "keygen"]) == 0
    assert main(["keygen", "--daemon", "--keys", str(tmp_path / "x")]) == 0
    assert sorted(os.listdir(tmp_path / "x")) == ["client.key", "daemon.key"]


def test_a_key_file_that_others_may_read_is_not_used(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main(["keygen"])
    main(["trust", "127.0.0.1", KEY])
    (folder / "client.key").chmod(0o644)
    assert main(["--endpoint", "tcp://127.0.0.1:1", "status"]) == 1
    assert "client.key can be read by others (mode 644): chmod 600" in capsys.readouterr().err
