"""Every sample of the pages is held by a test, and every command on them is one that there is.

What a sample is follows from its language; the tests that hold it stand beside it. What is neither
a file nor a command is shown output, each listed with what it is.
"""

from __future__ import annotations

import argparse
import ast
import importlib.util
import itertools
import re
import shlex
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path

import pytest

from cvec_circus_cli import circus_plugin, circus_top, circusd, circushttpd
from tests.docs.pages import DOCS, ROOT, Block, blocks

HELD_BY = {
    "ini": "test_samples.test_a_sample_of_a_file_is_good",
    "toml": "test_samples.test_a_sample_of_data_can_be_read",
    "yaml": "test_samples.test_a_sample_of_data_can_be_read",
    "json": "test_samples.test_a_sample_of_data_can_be_read",
    "python": "test_samples.test_a_sample_in_python_compiles",
    "nginx": "test_recipes_web, where nginx runs it",
}
COMMANDS = ("console", "bash", "sh", "none", "text")
PARSERS: dict[str, Callable[[], argparse.ArgumentParser]] = {
    "circusd": circusd._parser,
    "circus-top": circus_top._parser,
    "circus-plugin": circus_plugin._parser,
    "circushttpd": circushttpd._parser,
}
CHECKED_ELSEWHERE = ("circusctl",)
"""By test_samples.test_a_command_on_a_page_is_one_that_circusctl_takes."""
OF_OTHERS = frozenset(
    (
        *("pip", "uv", "python3", ".venv/bin/pip", "source", ".", "echo", "printf", "cat", "ls"),
        *("grep", "kill", "sleep", "curl", "capsh", "install", "sudo", "ss", "stat"),
        *("systemd-analyze", "/srv/circus-2/bin/pip"),
    )
)
"""Programs of others, whose words are theirs."""
SHOWN = {
    ("console.rst", "{"): "a request, and what a page asks for, of the web console's protocol",
    ("from-procfile.rst", "web:"): "a Procfile, the one that test_imported runs in many forms",
    ("harden.rst", "/home/app"): "what a refusal says",
    ("keep-others-out.rst", "user"): "lines of a log",
    ("keep-others-out.rst", "SIGHUP:"): "lines of a log",
    ("output.rst", "/var/log"): "a file of logrotate, which test_recipes_jobs runs",
    ("releases.rst", "/srv/shop"): "folders",
    ("reload.rst", "reload web:"): "what a plan says",
    ("troubleshooting.rst", "circusd:"): "messages, which test_troubleshooting provokes",
    ("troubleshooting.rst", "circusctl:"): "messages, which test_troubleshooting provokes",
    ("upgrade.rst", "the daemon"): "what an upgrade says",
    ("upgrade.rst", "error:"): "what an upgrade says",
}


def is_shown(block: Block) -> bool:
    """Tell whether a sample is listed as output that is shown."""
    return any(
        block.page.name == page and block.text.startswith(beginning) for page, beginning in SHOWN
    )


def is_a_file(block: Block) -> bool:
    """Tell whether a sample without a language is a configuration file, which is held as such."""
    return block.language in HELD_BY or block.text.startswith("[")


def commands() -> Iterator[tuple[str, str]]:
    """Give every command of the samples with its place."""
    for block in blocks():
        if block.language not in COMMANDS or is_shown(block) or is_a_file(block):
            continue
        text = block.text.replace("\\\n", " ")
        for line in text.splitlines():
            match = re.match(r"\s*[$#] (.+)" if block.language == "console" else r"(\S.*)", line)
            if match:
                yield str(block), match[1]


def test_every_sample_is_held() -> None:
    known = {*HELD_BY, *COMMANDS}
    assert [str(block) for block in blocks() if block.language not in known] == []


def test_every_list_of_exceptions_is_used() -> None:
    for page, beginning in SHOWN:
        found = [b for b in blocks() if b.page.name == page and b.text.startswith(beginning)]
        assert found, (page, beginning)


def words_of(command: str) -> list[str]:
    """Return the words of a command up to a pipe; what is said of it stands two spaces behind."""
    lexer = shlex.shlex(re.split(r"\s{2,}", command)[0], posix=True, punctuation_chars=True)
    lexer.whitespace_split = True
    words = itertools.takewhile(lambda word: not set(word) <= set("|&;<>()"), lexer)
    return [word for word in words if not re.fullmatch(r"[A-Z_]+=.*", word)]


def test_every_command_is_one_that_there_is() -> None:
    unknown = []
    for place, command in commands():
        words = words_of(command)
        if words[0] == "python" and words[1] == "-m":
            if importlib.util.find_spec(words[2]) is None:
                unknown.append(f"{place}: {command}")
        elif words[0] not in (*PARSERS, *CHECKED_ELSEWHERE, *OF_OTHERS, "python"):
            unknown.append(f"{place}: {command}")
    assert unknown == []


def ours() -> list[tuple[str, list[str]]]:
    """Return the commands of our programs with their words, but for those of circusctl."""
    found = []
    for place, command in commands():
        words = words_of(command)
        if words and words[0] in PARSERS:
            found.append((place, words))
    return found


@pytest.mark.parametrize(("place", "words"), ours())
def test_a_command_takes_its_words(place: str, words: list[str]) -> None:
    try:
        PARSERS[words[0]]().parse_args(words[1:])
    except SystemExit:
        pytest.fail(f"{place}: {shlex.join(words)}")


@pytest.mark.parametrize("block", [b for b in blocks() if b.language == "python"], ids=str)
def test_what_a_sample_imports_is_there(block: Block) -> None:
    tree = compile(block.text, str(block), "exec", ast.PyCF_ONLY_AST)
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("cvec_circus"):
            module = import_module(str(node.module))
            missing = [alias.name for alias in node.names if not hasattr(module, alias.name)]
            assert missing == []


def test_every_example_has_its_test() -> None:
    texts = [
        path.read_text(encoding="utf-8")
        for path in sorted((ROOT / "tests").rglob("*.py"))
        if path.name != "test_every_block.py"
    ]
    everything = "\n".join(texts)
    examples = [path for path in (DOCS / "examples").rglob("*") if path.is_file()]
    orphans = [
        str(path.relative_to(DOCS))
        for path in examples
        if "__pycache__" not in path.parts
        and not any(name in everything for name in names_of(path))
    ]
    assert (len(examples) > 30, orphans) == (True, [])


def names_of(example: Path) -> Iterator[str]:
    """Give the names by which a test may take an example; a package is taken as a whole."""
    yield from (example.name, example.stem, example.parent.name)
    for parent in example.parents:
        if (parent / "pyproject.toml").exists() and parent != ROOT:
            yield parent.name
