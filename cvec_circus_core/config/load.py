"""From a path to a configuration: the main file, what it includes, and the formats to read them.

Includes are looked up beside the main file, in sorted order, and are not followed any further. What
the main file says wins over what its includes say.
"""

from __future__ import annotations

import os.path
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from glob import glob
from pathlib import Path
from typing import Any

from cvec_circus_core.config.build import FilePart, Loaded, build
from cvec_circus_core.config.expansion import Environments, expand
from cvec_circus_core.config.outside_faults import NO_CHECKS, OutsideChecks
from cvec_circus_core.config.plugin_sections import as_written, spelled_out
from cvec_circus_core.config.raw import Format, Problem, RawConfig, RawSection, merged
from cvec_circus_core.model.errors import ConfigError
from cvec_circus_core.model.text import TooLong
from cvec_circus_core.model.values import replace
from cvec_circus_core.model.words import split_words

ReadFile = Callable[[Path], bytes]
"""Reads a file. Raises OSError."""

_INCLUDES = ("include", "include_dir")
_OF_INCLUDED_FOLDERS = "*.ini"
_SKIPPABLE = ("watcher:", "socket:")


class BadConfig(ConfigError):
    """A configuration that can not be used; carries everything that was found in it."""

    def __init__(self, problems: Iterable[Problem], warnings: Iterable[Problem] = ()) -> None:
        self.problems = tuple(problems)
        self.warnings = tuple(warnings)
        super().__init__("\n".join(map(str, self.problems)))

    @property
    def is_skippable(self) -> bool:
        """Whether the rest can do without the watchers and sockets that are bad."""
        return all(map(_is_skippable, self.problems))

    @property
    def details(self) -> Mapping[str, Any]:
        """All problems, one by one."""
        return {"problems": [str(problem) for problem in self.problems]}


def load(
    path: str | Path,
    formats: Sequence[Format],
    environ: Mapping[str, str],
    outside: OutsideChecks = NO_CHECKS,
    read_file: ReadFile = Path.read_bytes,
    saved_text: str | None = None,
) -> Loaded:
    """Read a configuration file, all that it includes, and what was saved beside it.

    Never raises for what is in them. ``saved_text`` takes the place of what was saved.
    """
    main = _read(Path(path), formats, read_file)
    saved = saved_beside(Path(path))
    parts = [main]
    files = [Path(path)]
    warnings: list[Problem] = []
    if saved_text is not None:
        saved_part = formats[0].read(saved_text, str(saved))
    elif _is_file(saved):
        saved_part = _without_includes(_read(saved, formats, read_file), warnings)
    else:
        saved_part = RawConfig()
    for file in _included(Path(path), main, environ, warnings):
        if os.path.realpath(file) in map(os.path.realpath, (*files, saved)):
            continue
        files.append(file)
        parts.append(_without_includes(_read(file, formats, read_file), warnings))
    warnings += _mixed(parts[1:])
    raw = RawConfig(
        merged(section for part in (saved_part, *parts) for section in part.sections),
        tuple(problem for part in (saved_part, *parts) for problem in part.problems),
        (*(warning for part in (saved_part, *parts) for warning in part.warnings), *warnings),
    )
    loaded = build(spelled_out(raw), environ, outside)
    pairs = zip(files, parts, strict=True)
    return replace(
        loaded,
        problems=as_written(raw, loaded.problems),
        warnings=as_written(raw, loaded.warnings),
        parts=tuple(_part(str(file), part) for file, part in pairs),
    )


def saved_beside(path: Path) -> Path:
    """Return where that is kept which was changed at run time: app.saved.ini for app.ini."""
    return path.with_name(f"{path.stem}.saved.ini")


def read_saved(path: Path, formats: Sequence[Format]) -> tuple[RawSection, ...]:
    """Return the sections that were saved before."""
    if not _is_file(path):
        return ()
    return merged(_read(path, formats, Path.read_bytes).sections)


def torn(before: Loaded, now: Loaded) -> Iterator[str]:
    """Yield a sentence for each file that seems to be read in the middle of a save.

    It has lost watchers, and is empty or has lost the end of its last line.
    """
    earlier = {part.file: part for part in before.parts}
    for part in now.parts:
        old = earlier.get(part.file)
        if old is None or part.is_whole or not old.watchers - part.watchers:
            continue
        if old.is_whole or not part.watchers:
            lost = ", ".join(sorted(old.watchers - part.watchers))
            yield f"{part.file} has no watcher {lost} any more, and seems to be cut off"


def accepted(loaded: Loaded, *, skip_bad: bool = False) -> Loaded:
    """Return a configuration that can be used. Raises `BadConfig`.

    With ``skip_bad``, or where the file itself says so, watchers and sockets with a mistake are
    left out, and ``left_out`` tells why.
    """
    skips = skip_bad or loaded.arbiter.skip_bad
    if loaded.problems and not (skips and all(map(_is_skippable, loaded.problems))):
        raise BadConfig(loaded.problems, loaded.warnings)
    return replace(loaded, problems=(), left_out=loaded.problems)


def flawless(loaded: Loaded) -> Loaded:
    """Return a configuration in which nothing is to be left out. Raises `BadConfig`."""
    if loaded.problems:
        raise BadConfig(loaded.problems, loaded.warnings)
    return loaded


def sentences_of_left_out(loaded: Loaded) -> Iterator[str]:
    """Yield a sentence for each watcher and socket that is left out, with all its mistakes."""
    by_section: dict[str, list[Problem]] = {}
    for problem in loaded.left_out:
        by_section.setdefault(problem.section, []).append(problem)
    for section, problems in by_section.items():
        kind, _, name = section.partition(":")
        yield f"{kind} {name.strip()} is left out: {'; '.join(map(str, problems))}"


def _is_skippable(problem: Problem) -> bool:
    return problem.section.startswith(_SKIPPABLE)


def _read(path: Path, formats: Sequence[Format], read_file: ReadFile) -> RawConfig:
    file = str(path)
    try:
        text = read_file(path).decode()
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        return RawConfig(problems=(Problem(sentence="isn't UTF-8 text", file=file, line=line),))
    except (OSError, ValueError) as error:
        reason = (getattr(error, "strerror", None) or str(error)).lower()
        return RawConfig(problems=(Problem(sentence=f"can not be read: {reason}", file=file),))
    return replace(_format(path, formats).read(text, file), is_whole=_is_whole(text))


def _is_whole(text: str) -> bool:
    return text.endswith("\n") and not text.isspace()


def _part(file: str, raw: RawConfig) -> FilePart:
    names = [section.name.partition(":") for section in raw.sections]
    watchers = frozenset(name.strip() for kind, _, name in names if kind == "watcher")
    return FilePart(file, watchers, raw.is_whole)


def _format(path: Path, formats: Sequence[Format]) -> Format:
    suffix = path.suffix.lower()
    return next((format_ for format_ in formats if suffix in format_.suffixes), formats[0])


def _included(
    path: Path, main: RawConfig, environ: Mapping[str, str], warnings: list[Problem]
) -> Iterator[Path]:
    environments = Environments(merged(main.sections), environ)
    variables = environments.seen(environments.common)
    for section in merged(main.sections):
        for key in _INCLUDES if section.name == "circus" else ():
            raw = section.values.get(key)
            for pattern in _patterns(raw.text, variables) if raw else ():
                glob_pattern = (
                    f"{pattern}/{_OF_INCLUDED_FOLDERS}" if key == "include_dir" else pattern
                )
                matches = [
                    path.parent / name for name in sorted(glob(glob_pattern, root_dir=path.parent))
                ]
                yield from (match for match in matches if _is_file(match))
                if not matches and raw:
                    warnings.append(_no_match(section, key, pattern, raw.file, raw.line))


def _is_file(path: Path) -> bool:
    """Tell whether there is something to be read, or that can not be, which is told then."""
    return os.path.exists(path) and not os.path.isdir(path)


def _mixed(parts: Iterable[RawConfig]) -> Iterator[Problem]:
    """Find things that two included files define; that the main file may change them is meant."""
    first: dict[str, RawSection] = {}
    for section in (section for part in parts for section in part.sections):
        kind, colon, _ = section.name.partition(":")
        if not colon or kind.strip() == "env":
            continue
        other = first.setdefault(section.name, section)
        if other.file != section.file:
            sentence = f"is in {other.file}:{other.line}, too, and both are mixed"
            yield Problem(
                sentence=sentence, file=section.file, line=section.line, section=section.name
            )


def _patterns(text: str, variables: Mapping[str, str]) -> list[str]:
    # A NUL makes the option a problem of its own; no file can be named by it.
    try:
        words = (word.rstrip(",") for word in split_words(expand(text, variables)[0]))
        return [word for word in words if word and "\0" not in word]
    except (TooLong, ValueError):
        return []  # as is said where the option is read


def _no_match(section: RawSection, key: str, pattern: str, file: str, line: int) -> Problem:
    return Problem(
        sentence="matches no file",
        file=file,
        line=line,
        section=section.name,
        key=key,
        value=pattern,
    )


def _without_includes(part: RawConfig, warnings: list[Problem]) -> RawConfig:
    sections = []
    for section in part.sections:
        values = dict(section.values)
        for key in _INCLUDES if section.name == "circus" else ():
            if raw := values.pop(key, None):
                sentence = "is not followed in a file that is included itself"
                warnings.append(
                    Problem(
                        sentence=sentence,
                        file=raw.file,
                        line=raw.line,
                        section=section.name,
                        key=key,
                    )
                )
        sections.append(replace(section, values=values))
    return replace(part, sections=tuple(sections))
