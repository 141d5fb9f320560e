"""What one version has written is read by another, older or newer."""

from __future__ import annotations

import marshal
from typing import Any

import pytest

from cvec_circus_core.model import plain_form
from cvec_circus_core.model.capability_set import Capabilities
from cvec_circus_core.model.hook_specs import HookSpec
from cvec_circus_core.model.readiness import logged
from cvec_circus_core.model.socket_specs import PluginSpec, SocketSpec
from cvec_circus_core.model.specs import ArbiterSpec, WatcherSpec
from cvec_circus_core.model.views import WatcherStatus
from cvec_circus_core.policy.watcher.inputs import Remembered, Wanted

WATCHER = WatcherSpec(
    name="web",
    cmd="web --it",
    args=("a", "b c"),
    env={"BYTES": "\udcff"},
    hooks={"before_start": HookSpec("package.module", True)},
    ready=logged("ready .*"),
    capabilities=Capabilities(("chown",)),
    uid="somebody",
    respawn="unexpected",
    rlimits={"nofile": 3, "core": None},
    stdout_stream={"class": "FileStream", "max_bytes": 100},
    extra={"free": ["form", {"of": 1}]},
)


@pytest.mark.parametrize(
    "value",
    [
        WATCHER,
        ArbiterSpec(allow_users=("a", "@b")),
        SocketSpec(name="web", port=0),
        PluginSpec(name="p", use="x.y", watcher=WATCHER, options={"a": "b"}),
        Remembered(Wanted.UP, WatcherStatus.ACTIVE, last_exit=-9),
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_value_comes_back_as_it_was(value: Any) -> None:
    assert plain_form.load(plain_form.dump(value), type(value)) == value


def _changed(content: bytes, **fields: object) -> bytes:
    form, plain = marshal.loads(content)
    for name, value in fields.items():
        if value is None:
            del plain[name]
        else:
            plain[name] = value
    return marshal.dumps((form, plain), 2)


def test_a_field_that_is_not_known_is_ignored() -> None:
    content = _changed(plain_form.dump(WATCHER), of_a_later_version=[1, 2])
    assert plain_form.load(content, WatcherSpec) == WATCHER


def test_a_field_that_is_missing_has_its_default() -> None:
    content = _changed(plain_form.dump(WATCHER), respawn=None, settle=None)
    spec = plain_form.load(content, WatcherSpec)
    assert (spec.respawn, spec.settle, spec.args) == (True, 2.0, WATCHER.args)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (marshal.dumps((plain_form.FORM + 1, {}), 2), "its form is 2, and 1 can be read"),
        (_changed(plain_form.dump(WATCHER), numprocesses="many"), "Expected `int`, got `str`"),
        (_changed(plain_form.dump(WATCHER), name=None), "missing required field `name`"),
        (b"", "EOF"),
        (b"\0\0\0", "bad marshal data"),
        (marshal.dumps(3), "int"),
    ],
)
def test_what_can_not_be_read_is_told(content: bytes, reason: str) -> None:
    with pytest.raises(plain_form.BadForm, match=reason):
        plain_form.load(content, WatcherSpec)
