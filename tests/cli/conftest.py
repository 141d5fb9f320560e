"""circusctl in this process, aimed at something that answers."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import pytest

from cvec_circus_cli import completion
from cvec_circus_cli.circusctl import main
from tests.cli.answering import Answer, Answering, canned


@dataclass(frozen=True)
class Said:
    """How a run of circusctl ended."""

    code: int
    out: str
    err: str


@pytest.fixture(autouse=True)
def _plain_surroundings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CIRCUSCTL_ENDPOINT", raising=False)
    monkeypatch.delenv("NO_COLOR", raising=False)
    # Who presses a key has little patience; a busy machine needs some.
    monkeypatch.setattr(completion, "TIMEOUT", 20.0)


@pytest.fixture
def circusctl(capsys: pytest.CaptureFixture[str]) -> Callable[..., Said]:
    """Return a call that runs circusctl with these words."""

    def circusctl(*words: str) -> Said:
        capsys.readouterr()
        code = main(words)
        printed = capsys.readouterr()
        return Said(code, printed.out, printed.err)

    return circusctl


@pytest.fixture
def daemon() -> Iterator[Callable[..., Answering]]:
    """Return a call that starts something which answers, from a mapping or a function."""
    with ExitStack() as running:

        def start(answers: Mapping[str, Any] | Answer) -> Answering:
            answer = canned(answers) if isinstance(answers, Mapping) else answers
            return running.enter_context(Answering(answer))

        yield start
