"""Where a daemon in the background logs of which nobody has said it."""

from __future__ import annotations

from pathlib import Path

import pytest

from cvec_circus_core.daemon import default_log as module
from cvec_circus_core.daemon.default_log import default_log


def test_the_folder_of_the_environment_comes_first(tmp_path: Path) -> None:
    log = default_log("/srv/My app.ini", {"XDG_STATE_HOME": str(tmp_path / "state")})
    assert log == str(tmp_path / "state/circus/circusd-My-app.log")
    assert Path(log).exists()


def test_then_that_of_the_system_then_that_of_the_user(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setattr(module, "_OF_THE_SYSTEM", str(tmp_path))
    assert default_log("app.ini", {}) == str(tmp_path / "circusd-app.log")
    monkeypatch.setattr(module, "_OF_THE_SYSTEM", str(tmp_path / "none"))
    own = tmp_path / "home/.local/state/circus/circusd-app.log"
    assert default_log("app.ini", {}) == str(own)


def test_nothing_can_be_made_in_what_is_no_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "file"
    file.write_text("")
    monkeypatch.setattr(module, "_OF_THE_SYSTEM", str(tmp_path / "none"))
    monkeypatch.setenv("HOME", str(file))
    assert default_log("app.ini", {}) is None
    assert default_log("app.ini", {"XDG_STATE_HOME": "not/absolute"}) is None
