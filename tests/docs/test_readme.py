"""The README promises two set-up commands; what runs elsewhere is what it says."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


def set_up_commands() -> list[str]:
    """Return the commands of the section Set up, one a block."""
    section = README.partition("## Set up")[2].partition("\n## ")[0]
    return [block.strip() for block in re.findall(r"```console\n(.*?)```", section, re.DOTALL)]


def test_there_are_two_set_up_commands_of_one_line_each() -> None:
    commands = set_up_commands()
    assert len(commands) == 2
    assert all("\n" not in command for command in commands)
    assert all(command.startswith("python3 -m venv .venv && ") for command in commands)


def test_what_the_commands_name_is_there() -> None:
    quick_start, _ = set_up_commands()
    assert (ROOT / quick_start.split()[-1]).is_file()


def test_the_tests_of_the_readme_are_those_that_a_change_has_to_pass() -> None:
    _, tests = set_up_commands()
    assert tests in (ROOT / ".ci" / "run").read_text(encoding="utf-8")
