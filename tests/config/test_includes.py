"""Files that include others."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from cvec_circus_core.config.build import Loaded
from cvec_circus_core.config.load import load
from cvec_circus_plugins.formats.ini import IniFormat

Reader = Callable[..., Loaded]
Teller = Callable[..., list[str]]


def watcher(name: str, more: str = "") -> str:
    return f"[watcher:{name}]\ncmd = {name}\n{more}\n"


def files_of(loaded: Loaded) -> list[str]:
    return [part.file for part in loaded.parts]


def test_files_wildcards_and_folders(read: Reader) -> None:
    loaded = read(
        "[circus]\ninclude = one.ini sub*/t*.ini\n  last.conf\ninclude_dir = conf.d more\n",
        beside={
            "one.ini": watcher("one"),
            "sub1/two.ini": watcher("two"),
            "sub2/three.ini": watcher("three"),
            "sub2/other.ini": watcher("not-this"),
            "last.conf": watcher("last"),
            "conf.d/b.ini": watcher("b"),
            "conf.d/a.ini": watcher("a"),
            "conf.d/c.txt": watcher("nor-this"),
            "conf.d/deep/d.ini": watcher("nor-that"),
            "more/z.ini": watcher("z"),
        },
    )
    assert not loaded.problems
    assert not loaded.warnings
    assert [one.name for one in loaded.watchers] == ["a", "b", "last", "one", "three", "two", "z"]
    assert [Path(file).name for file in files_of(loaded)] == [
        *("app.ini", "one.ini", "two.ini", "three.ini", "last.conf", "a.ini", "b.ini", "z.ini")
    ]


def test_what_is_read_first_wins(read: Reader) -> None:
    loaded = read(
        "[circus]\ncheck_delay = 3\ninclude = *.d/*.ini\n[watcher:w]\ncmd = main\n",
        beside={
            "x.d/2.ini": watcher("w", "priority = 2\nnumprocesses = 2"),
            "x.d/1.ini": "[circus]\ncheck_delay = 9\nwarmup_delay = 1\n"
            + watcher("w", "priority = 1"),
        },
    )
    assert not loaded.problems
    (spec,) = loaded.watchers
    assert (spec.cmd, spec.priority, spec.numprocesses) == ("main", 1, 2)
    assert (loaded.arbiter.check_delay, loaded.arbiter.warmup_delay) == (3, 1)


def test_a_pattern_without_a_match_is_a_warning(read: Reader, told: Teller) -> None:
    loaded = read("[circus]\ninclude = no.ini\n  *.none\ninclude_dir = nowhere\n")
    assert not loaded.problems
    assert told(loaded.warnings) == [
        "app.ini:2: [circus] include = no.ini: matches no file",
        "app.ini:2: [circus] include = *.none: matches no file",
        "app.ini:4: [circus] include_dir = nowhere: matches no file",
    ]


def test_includes_are_not_followed_further(read: Reader, told: Teller) -> None:
    loaded = read(
        "[circus]\ninclude = one.ini\n",
        beside={"one.ini": "[circus]\ninclude = two.ini\n", "two.ini": watcher("two")},
    )
    assert loaded.watchers == ()
    assert loaded.arbiter.include == ("one.ini",)
    assert told(loaded.warnings) == [
        "one.ini:2: [circus] include: is not followed in a file that is included itself"
    ]


def test_a_file_is_read_once(read: Reader) -> None:
    loaded = read("[circus]\ninclude = *.ini one.ini ./app.ini\n", beside={"one.ini": watcher("x")})
    assert [Path(file).name for file in files_of(loaded)] == ["app.ini", "one.ini"]
    assert not loaded.warnings


def test_variables_in_paths(read: Reader) -> None:
    loaded = read(
        "[env]\nSTAGE = test\n[circus]\ninclude = $(circus.env.STAGE).ini $(circus.env.MORE)\n",
        environ={"MORE": "more.ini"},
        beside={"test.ini": watcher("test"), "more.ini": watcher("more")},
    )
    assert [one.name for one in loaded.watchers] == ["more", "test"]


def test_problems_name_the_file_they_are_in(read: Reader, told: Teller) -> None:
    loaded = read(
        "[circus]\ninclude = b.ini a.ini\nhttpd = x\n",
        beside={"a.ini": "broken\n", "b.ini": "[watcher:w]\ncmd = x\npriority = y\n"},
    )
    assert [line.partition(": ")[0] for line in told(loaded.problems)] == [
        "a.ini:1",
        "app.ini:3",
        "b.ini:3",
    ]


def test_a_folder_with_brackets_in_its_name(tmp_path: Path) -> None:
    folder = tmp_path / "[odd]"
    folder.mkdir()
    (folder / "app.ini").write_text("[circus]\ninclude = o*.ini\n")
    (folder / "one.ini").write_text(watcher("one"))
    assert load(folder / "app.ini", [IniFormat()], {}).watchers[0].name == "one"


def test_files_that_can_not_be_read(tmp_path: Path) -> None:
    (tmp_path / "latin.ini").write_bytes(b"[circus]\n\nx = \xe4\n")
    said = {
        name: str(load(tmp_path / name, [IniFormat()], {}).problems[0])
        for name in ("none.ini", "latin.ini", ".", "\0")
    }
    assert said == {
        "none.ini": f"{tmp_path}/none.ini: can not be read: no such file or directory",
        "latin.ini": f"{tmp_path}/latin.ini:3: isn't UTF-8 text",
        ".": f"{tmp_path}: can not be read: is a directory",
        "\0": f"{tmp_path}/\\x00: can not be read: embedded null byte",
    }


def test_what_two_included_files_define_is_told(read: Reader, told: Teller) -> None:
    loaded = read(
        "[circus]\ninclude = a.ini b.ini\n[watcher:one]\npriority = 3\n",
        beside={
            "a.ini": watcher("one") + watcher("two") + "[env:one]\nA = 1\n",
            "b.ini": watcher("two", "priority = 1") + "[env:one]\nA = 2\n",
        },
    )
    assert "b.ini:1: [watcher:two]: is in a.ini:4, too, and both are mixed" in told(loaded.warnings)
    assert len([line for line in told(loaded.warnings) if "mixed" in line]) == 1


def test_what_the_main_file_changes_of_an_included_one_is_meant(read: Reader) -> None:
    loaded = read(
        "[circus]\ninclude = a.ini\n[watcher:one]\npriority = 3\n", beside={"a.ini": watcher("one")}
    )
    assert not loaded.warnings
    assert [spec.priority for spec in loaded.watchers] == [3]


def test_names_with_blanks_stand_in_quotes(read: Reader) -> None:
    loaded = read(
        "[circus]\ninclude = \"my conf/*.ini\" 'last one.ini'\n",
        beside={"my conf/a.ini": watcher("a"), "last one.ini": watcher("b")},
    )
    assert not loaded.warnings
    assert [found.name for found in loaded.watchers] == ["a", "b"]


def test_quotes_that_do_not_match_are_told(read: Reader) -> None:
    (problem,) = read('[circus]\ninclude = "my conf\n').problems
    assert (problem.key, problem.line) == ("include", 2)
