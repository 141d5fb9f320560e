"""Files with people, tokens and sessions: what can not be trusted is refused in a sentence."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from cvec_circus_core.model.access import Person, Role
from cvec_circus_core.model.curve_keys import BadKeys
from cvec_circus_plugins.httpd.links import Links
from cvec_circus_plugins.httpd.tokens import Tokens

GOOD = {"role": "viewer", "sha256": "0" * 64, "created": 1.0}


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("x", "is not JSON"),
        ("[]", "does not hold a table"),
        ('{"a": 1}', "does not hold a table"),
        (json.dumps({"a": {}}), "'a' has no created"),
        (json.dumps({"a": {**GOOD, "role": "root"}}), "the role of 'a' is not known"),
    ],
)
def test_a_file_that_holds_something_else(tmp_path: Path, text: str, sentence: str) -> None:
    file = tmp_path / "tokens.json"
    file.write_text(text)
    file.chmod(0o600)
    with pytest.raises(BadKeys, match=sentence):
        Tokens(tmp_path).person("circus_x")


@pytest.mark.parametrize("mode", [0o644, 0o660, 0o602])
def test_a_file_that_others_may_read_or_write(tmp_path: Path, mode: int) -> None:
    file = tmp_path / "tokens.json"
    file.write_text(json.dumps({"a": GOOD}))
    file.chmod(mode)
    with pytest.raises(BadKeys, match="by others"):
        Tokens(tmp_path).infos()


def test_a_change_of_another_process_is_seen(tmp_path: Path) -> None:
    ours, theirs = Tokens(tmp_path), Tokens(tmp_path)
    assert ours.infos() == []
    token = theirs.add("deploy", Role.VIEWER)
    assert ours.person(token) == Person("token:deploy", Role.VIEWER)
    theirs.remove("deploy")
    assert ours.person(token) is None


def test_a_link_is_good_once_whoever_uses_it(tmp_path: Path) -> None:
    secret = Links(tmp_path).make(Person("ann", Role.VIEWER))
    assert Links(tmp_path).use(secret) == Person("ann", Role.VIEWER)
    assert Links(tmp_path).use(secret) is None
