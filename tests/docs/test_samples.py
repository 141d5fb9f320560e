"""Every sample of the pages is what the programs take, and every inner link leads somewhere."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
import yaml

from cvec_circus_cli.arguments import CommandLine
from cvec_circus_cli.command_lookup import find
from cvec_circus_cli.export_command import ExportCommand
from cvec_circus_cli.import_command import ImportCommand
from cvec_circus_cli.keys import key_command
from cvec_circus_cli.settings import KEY_COMMANDS, SWITCHES, VALUES
from cvec_circus_core.api import BadConfig, BadKeys
from cvec_circus_core.daemon.config_source import Flags, read
from tests.docs.pages import ROOT, Block, blocks, pages

EXAMPLES = ROOT / "docs" / "examples"
NOT_OURS = ("[program:", "[Unit]", "[Service]", "[project")
RUN_ELSEWHERE = ("tutorial-own-program.rst",)
"""Pages whose samples have mistakes that the page speaks of; test_tutorials runs them."""
SPOKEN = re.compile(r"circusctl ((?:[^`#>|)\n]|\\\n)+)")
TYPOGRAPHIC = re.compile("[\u2018\u2019\u201c\u201d\u2013\u2014]")
NOT_HERE = re.compile("which is not found|No module named")
"""What is said of modules that the reader is to write."""
LOCAL = {"help", "completion", "complete"}
OF_THE_READER = {"uptime"}
"""A command that a page shows how to write."""


def configurations() -> list[Block]:
    """Return the samples that are configuration files of ours, or parts of one."""
    return [
        block
        for block in blocks()
        if block.language == "ini" or (block.language == "none" and block.text.startswith("["))
        if not block.text.startswith(NOT_OURS) and block.page.name not in RUN_ELSEWHERE
    ]


def complaints(text: str, folder: Path) -> list[str]:
    """Return what --check would say, but for what only the reader's machine has."""
    if not text.startswith(("[", ";", "#")):
        text = f"[watcher:sample]\ncmd = sleep 1\n{text}"
    file = folder / "sample.ini"
    file.write_text(text, encoding="utf-8")
    flags = Flags.entered(str(file), os.environ)
    try:
        loaded = read(flags, {})
    except BadKeys:
        return []
    except BadConfig as error:
        problems = [*error.problems, *error.warnings]
        return [str(each) for each in problems if not NOT_HERE.search(str(each))]
    return [str(warning) for warning in loaded.warnings]


@pytest.mark.parametrize("block", configurations(), ids=str)
def test_a_sample_of_a_file_is_good(block: Block, tmp_path: Path) -> None:
    assert complaints(block.text, tmp_path) == []


@pytest.mark.parametrize(
    "file", sorted(EXAMPLES.rglob("*.ini")), ids=lambda file: str(file.relative_to(EXAMPLES))
)
def test_an_example_file_is_good(file: Path, tmp_path: Path) -> None:
    assert complaints(file.read_text(encoding="utf-8"), tmp_path) == []


@pytest.mark.parametrize("block", [b for b in blocks() if b.language == "python"], ids=str)
def test_a_sample_in_python_compiles(block: Block) -> None:
    compile(block.text, str(block), "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)


@pytest.mark.parametrize(
    "block", [b for b in blocks() if b.language in ("toml", "yaml", "json")], ids=str
)
def test_a_sample_of_data_can_be_read(block: Block) -> None:
    if block.language == "toml":
        assert tomllib.loads(block.text)
    else:
        assert yaml.safe_load(block.text)


def spoken() -> list[tuple[str, str]]:
    """Return every command of circusctl that stands on a page, with its place."""
    commands = []
    for page in (page for page in pages() if page.parent.name != "design"):
        text = page.read_text(encoding="utf-8")
        for match in SPOKEN.finditer(text):
            # Two spaces begin what the sample says of it.
            words = re.split(r"\s{2,}|,|;", match[1].replace("\\\n", " "))[0].strip().rstrip(".")
            is_code = text[match.start() - 1] == "`" or re.search(
                r"(?m)^[ \t]+[^\n`]*$", text[text.rfind("\n", 0, match.start()) + 1 : match.start()]
            )
            if is_code and words:
                line = text.count("\n", 0, match.start()) + 1
                commands.append((f"{page.relative_to(ROOT)}:{line}", words))
    return commands


@pytest.mark.parametrize(("place", "words"), spoken())
def test_a_command_on_a_page_is_one_that_circusctl_takes(place: str, words: str) -> None:
    rest = words.split()
    while rest and rest[0].startswith("-"):
        switch = rest.pop(0).partition("=")[0]
        assert switch in (*SWITCHES, *VALUES, "--help", "--version"), place
        if switch in VALUES and rest:
            rest.pop(0)
    if not rest or not re.fullmatch("[a-z]+", rest[0]) or rest[0] in LOCAL | OF_THE_READER:
        return
    name = rest[0]
    if name in KEY_COMMANDS:
        command = key_command(name)
    else:
        own = {"import": ImportCommand, "export": ExportCommand}
        command = own[name]() if name in own else find(name)
    line = CommandLine(command)
    for word in rest[1:]:
        if re.match("--?[a-z]", word) and name != "signal":
            known = line.switch(word) or word.partition("=")[0] in (*SWITCHES, *VALUES, "--help")
            assert known, f"{place}: {name} does not take {word}"


@pytest.fixture(scope="module")
def html(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the pages, where every warning is an error."""
    program = Path(sys.prefix) / "bin" / "sphinx-build"
    if not program.exists():
        if os.environ.get("CI"):
            pytest.fail("sphinx-build is not here: pip install -e '.[docs]'")
        pytest.skip("sphinx-build is not here: pip install -e '.[docs]'")
    folder = tmp_path_factory.mktemp("html")
    words = ["-q", "-W", "--keep-going", "-n", "-b", "html", str(ROOT / "docs"), str(folder)]
    done = subprocess.run([program, *words], capture_output=True, text=True, timeout=300)
    assert (done.returncode, done.stderr) == (0, "")
    return folder


class _Page(HTMLParser):
    """The links and targets of a page, and the code on it."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.targets: set[str] = {"", "top"}
        self.code: list[str] = []
        self._depth = 0
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note links and targets, and where code begins."""
        values = dict(attrs)
        for key in ("id", "name"):
            self.targets.add(values.get(key) or "")
        for key in ("href", "src"):
            if values.get(key):
                self.links.append(str(values[key]))
        self._depth += tag in ("pre", "code")

    def handle_endtag(self, tag: str) -> None:
        """Note where code ends."""
        self._depth -= tag in ("pre", "code")

    def handle_data(self, data: str) -> None:
        """Keep what is code."""
        if self._depth:
            self.code.append(data)


def read_pages(html: Path) -> Iterator[tuple[Path, _Page]]:
    """Read all pages."""
    for path in sorted(html.rglob("*.html")):
        yield path, _Page(path.read_text(encoding="utf-8"))


@pytest.mark.slow
def test_every_inner_link_leads_somewhere(html: Path) -> None:
    built = dict(read_pages(html))
    dead = []
    for path, page in built.items():
        for link in page.links:
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            fragment = unquote(parts.fragment)
            if not target.exists() or (target in built and fragment not in built[target].targets):
                dead.append(f"{path.name}: {link}")
    assert len(built) > 40
    assert dead == []


@pytest.mark.slow
def test_code_has_no_typographic_quotes_and_dashes(html: Path) -> None:
    wrong = [
        f"{path.name}: {text}"
        for path, page in read_pages(html)
        for text in page.code
        if TYPOGRAPHIC.search(text)
    ]
    assert wrong == []
