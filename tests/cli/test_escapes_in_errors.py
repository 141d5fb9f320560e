"""What programs say of names that others chose paints nothing on a terminal."""

from __future__ import annotations

import subprocess

import pytest

from tests.live.daemon import BIN, LIMIT

ODD = "/nowhere/\x1b[2J\x1b]0;owned\x07.ini"


@pytest.mark.parametrize(
    "words",
    [
        ("circusd", ODD),
        ("circusd", "--check", ODD),
        ("circus-plugin", "--config", ODD, "flapping"),
        ("circusctl", "--endpoint", f"ipc://{ODD}", "list"),
        ("circus-top", "--once", "--timeout", "0.2", "--endpoint", f"ipc://{ODD}"),
        ("circusctl", "--endpoint", f"ipc://{ODD}", "tail", "\x1b[2J"),
    ],
    ids=lambda words: " ".join(words[:2]),
)
def test_an_error_shows_escapes_and_does_not_send_them(words: tuple[str, ...]) -> None:
    # A terminal is what standard error leads to: script(1) gives one.
    command = " ".join(f"'{word}'" for word in (str(BIN / words[0]), *words[1:]))
    result = subprocess.run(
        ["script", "-qec", command, "/dev/null"],
        capture_output=True,
        timeout=LIMIT,
        stdin=subprocess.DEVNULL,
        check=False,
    )
    assert result.returncode != 0
    assert b"\x1b[2J" not in result.stdout, result.stdout
    assert b"\x1b]0;" not in result.stdout, result.stdout
    assert b"nowhere" in result.stdout or b"2J" in result.stdout
