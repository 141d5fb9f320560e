"""Logging configurations that can not be used are told in one sentence."""

from __future__ import annotations

from pathlib import Path

import pytest

from cvec_circus_core.daemon.logs import set_up
from cvec_circus_core.model.errors import ConfigError
from cvec_circus_core.model.specs import ArbiterSpec


@pytest.mark.parametrize(
    ("name", "text", "why"),
    [
        ("a.ini", "[loggers\n", "line 1, '[loggers', is in no section"),
        ("a.ini", "[loggers]\nkeys\n", "line 2 can not be read"),
        ("a.ini", "[loggers]\nkeys=root\n", "it has no section [handlers]"),
        (
            "a.ini",
            "[loggers]\nkeys=root\n[handlers]\nkeys=\n[formatters]\nkeys=\n",
            "it lacks 'logger_root'",
        ),
        ("a.json", "[1]", "it is no mapping"),
        ("a.json", "{", "Expecting property name enclosed in double quotes: line 1 column 2"),
        ("a.json", "{}", "dictionary doesn't specify a version"),
        ("missing.ini", None, "no such file or directory"),
    ],
)
def test_it_is_told_in_one_sentence(tmp_path: Path, name: str, text: str | None, why: str) -> None:
    file = tmp_path / name
    if text is not None:
        file.write_text(text)
    with pytest.raises(ConfigError) as refused:
        set_up(ArbiterSpec(loggerconfig=str(file)))
    said = str(refused.value)
    assert said.startswith(f"loggerconfig {file} can not be used: {why}")
    assert "\n" not in said
