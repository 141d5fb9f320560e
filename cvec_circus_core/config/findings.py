"""Problems and warnings, collected with the place they speak of."""

from __future__ import annotations

from dataclasses import dataclass, field

from cvec_circus_core.config.raw import Problem, RawSection, RawValue
from cvec_circus_core.model.faults import Fault

_CUT = "; white space and ; in a value begin a comment, even between quotes"
"""What is said of quotes that do not match, where a comment was taken off."""


@dataclass
class Findings:
    """What was found while a configuration was built."""

    problems: list[Problem] = field(default_factory=list)
    warnings: list[Problem] = field(default_factory=list)
    _bad: dict[str, set[str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for problem in self.problems:
            self._bad.setdefault(problem.section, set()).add(problem.key)

    def refuse(
        self, section: RawSection, fault: Fault, key: str = "", text: str | None = None
    ) -> None:
        """Add a problem of a key, or of the section where the key is not there."""
        problem = _told(section, fault, key, text)
        self.problems.append(problem)
        self._bad.setdefault(problem.section, set()).add(problem.key)

    def doubt(
        self, section: RawSection, fault: Fault, key: str = "", text: str | None = None
    ) -> None:
        """Add a warning of a key, or of the section where the key is not there."""
        self.warnings.append(_told(section, fault, key, text))

    def is_bad(self, section: str) -> bool:
        """Tell whether something is wrong in a section."""
        return section in self._bad

    def bad_keys(self, section: str) -> frozenset[str]:
        """Return the keys of a section that something is wrong with."""
        return frozenset(self._bad.get(section, ()))


def _told(section: RawSection, fault: Fault, key: str, text: str | None) -> Problem:
    key = key or fault.key
    raw = section.values.get(key)
    at = raw or _first_member(section, key) or RawValue("", section.file, section.line)
    is_torn = raw is not None and raw.is_cut and "quot" in fault.sentence
    return Problem(
        sentence=f"{fault.sentence}{_CUT if is_torn else ''}",
        file=at.file,
        line=at.line,
        section=section.name,
        key=key,
        value=(raw.text if raw else None) if text is None else text,
        allowed=fault.allowed,
    )


def _first_member(section: RawSection, key: str) -> RawValue | None:
    if not key:
        return None
    members = (raw for name, raw in section.values.items() if name.startswith(f"{key}."))
    return next(members, None)
