"""Options given by commands and by library callers: JSON and Python values."""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping
from pathlib import Path
from signal import SIGINT
from typing import Any

import pytest
from hypothesis import given, strategies as st

from cvec_circus_core.config.mappings import (
    arbiter_from_mapping,
    changed_spec,
    plugin_from_mapping,
    shown_option,
    socket_from_mapping,
    spec_as_json,
    watcher_from_mapping,
)
from cvec_circus_core.model.errors import BadMessage, Errno, UnknownOption
from cvec_circus_core.model.hook_specs import HookSpec
from cvec_circus_core.model.options import declared_options
from cvec_circus_core.model.socket_specs import SocketSpec
from cvec_circus_core.model.specs import ArbiterSpec, WatcherSpec

SPEC = WatcherSpec(
    name="w",
    cmd="sleep 1",
    rlimits={"core": 0},
    stdout_stream={"class": "FileStream", "filename": "x"},
    hooks={"after_start": HookSpec("m.f")},
    extra={"owner": "me", "flapping.window": "1"},
)


@pytest.mark.parametrize(
    ("options", "field", "value"),
    [
        ({"numprocesses": 3}, "numprocesses", 3),
        ({"numprocs": 3}, "numprocesses", 3),
        ({"user": "www-data"}, "uid", "www-data"),
        ({"uid": None}, "uid", None),
        ({"working_dir": None}, "working_dir", None),
        ({"warmup_delay": 1}, "warmup_delay", 1.0),
        ({"stop_signal": "INT"}, "stop_signal", 2),
        ({"stop_signal": 2}, "stop_signal", 2),
        ({"args": "-a 'b c'"}, "args", ("-a", "b c")),
        ({"args": ["-a", "b c", 3]}, "args", ("-a", "b c", "3")),
        ({"umask": "077"}, "umask", 0o77),
        ({"env": {"A": "1", "B": "2"}}, "env", {"A": "1", "B": "2"}),
        ({"rlimit_nofile": 5}, "rlimits", {"core": 0, "nofile": 5}),
        ({"rlimit_CORE": None}, "rlimits", {"core": None}),
        ({"rlimits": {"RLIMIT_CORE": 1, "cpu": None}}, "rlimits", {"core": 1, "cpu": None}),
        (
            {"stdout_stream.filename": "y"},
            "stdout_stream",
            {"class": "FileStream", "filename": "y"},
        ),
        ({"stdout_stream.class": None}, "stdout_stream", {"filename": "x"}),
        ({"stdout_stream": {"class": "QueueStream"}}, "stdout_stream", {"class": "QueueStream"}),
        ({"stdout_stream": None}, "stdout_stream", {}),
        ({"stdout_stream_conf": {"filename": "z"}}, "stdout_stream", {"filename": "z"}),
        (
            {"stderr_stream": {"filename": "y", "max_bytes": 5}},
            "stderr_stream",
            {"filename": "y", "max_bytes": 5},
        ),
        ({"hooks": {"before_stop": "a.b"}}, "hooks", {"before_stop": HookSpec("a.b")}),
        ({"hooks.after_start": "a.b,true"}, "hooks", {"after_start": HookSpec("a.b", True)}),
        ({"hooks.after_start": ["a.b", True]}, "hooks", {"after_start": HookSpec("a.b", True)}),
        ({"hooks.after_start": None}, "hooks", {}),
        ({"flapping.window": 3}, "extra", {"owner": "me", "flapping.window": 3}),
        ({"flapping_window": 3}, "extra", {"owner": "me", "flapping.window": 3}),
        (
            {"retry_in": 7.5},
            "extra",
            {"owner": "me", "flapping.window": "1", "flapping.retry_in": 7.5},
        ),
        ({"owner": "you"}, "extra", {"owner": "you", "flapping.window": "1"}),
        ({"owner": None}, "extra", {"flapping.window": "1"}),
    ],
)
def test_set(options: dict[str, Any], field: str, value: object) -> None:
    new = changed_spec(SPEC, options)
    assert getattr(new, field) == value
    others = set(declared_options(WatcherSpec)) - {field}
    assert {name for name in others if getattr(new, name) != getattr(SPEC, name)} == set()


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"numprocesses": "3"}, "'numprocesses' isn't an integer"),
        ({"numprocs": "3"}, "'numprocs' isn't an integer"),
        ({"numprocesses": True}, "'numprocesses' isn't an integer"),
        ({"numprocesses": 1.0}, "'numprocesses' isn't an integer"),
        ({"numprocesses": None}, "'numprocesses' isn't an integer"),
        ({"numprocesses": -1}, "'numprocesses' isn't an integer at least 0"),
        ({"max_retry": "x"}, "'max_retry' isn't an integer"),
        ({"warmup_delay": "1"}, "'warmup_delay' isn't a number"),
        ({"graceful_timeout": []}, "'graceful_timeout' isn't a number"),
        ({"graceful_timeout": 10**400}, "'graceful_timeout' isn't a number of reasonable size"),
        ({"uid": 1.5}, "'uid' isn't a name or number"),
        ({"user": ""}, "'user' isn't a name or number"),
        ({"send_hup": 1}, "'send_hup' isn't a boolean"),
        ({"shell": "yes"}, "'shell' isn't a boolean"),
        ({"cmd": ["a"]}, "'cmd' isn't a text"),
        ({"cmd": ""}, "'cmd' is missing"),
        ({"cmd": "it's"}, "'cmd' has quotes that do not match"),
        ({"cmd": "echo 'it' " + "x" * 131_072}, "'cmd' is longer than 131072 characters"),
        ({"cmd": "x " * 70_000}, "'cmd' is longer than 131072 characters"),
        (
            {"cmd": "\u20ac" * 50_000, "shell": True},
            "'cmd' has an argument of more than 131071 bytes",
        ),
        ({"args": ["x" * 131_072]}, "'args' has an argument of more than 131071 bytes"),
        ({"env": {"A": "x" * 131_070}}, "'env' has more than 131071 bytes for A"),
        ({"args": 5}, "'args' isn't a text or a list"),
        ({"args": "'"}, "'args' isn't a list of words (no closing quotation)"),
        ({"env": "A=1"}, "'env' isn't an object of strings"),
        ({"env": {"A": None}}, "'env' isn't an object of strings"),
        ({"env": {"A": 1}}, "'env' isn't an object of strings"),
        ({"env": {"A=B": "1"}}, "'env' isn't an object whose keys can name environment variables"),
        ({"stop_signal": "SIGNOPE"}, "'stop_signal' isn't a signal"),
        ({"stop_signal": 4000}, "'stop_signal' isn't a signal"),
        ({"rlimit_nofile": "5"}, "'rlimit_nofile' isn't an integer or null"),
        ({"rlimit_foo": 5}, "unknown key 'rlimit_foo'"),
        ({"rlimits": {"foo": 5}}, "unknown key 'rlimit_foo'"),
        ({"rlimits": {"core": "x"}}, "'rlimit_core' isn't an integer or null"),
        ({"hooks": {"before_lunch": "a.b"}}, "unknown key 'hooks.before_lunch'"),
        ({"hooks.before_lunch": "a.b"}, "unknown key 'hooks.before_lunch'"),
        ({"hooks": "a.b"}, "'hooks' isn't an object"),
        ({"hooks": {"before_stop": 5}}, "'hooks.before_stop' isn't a hook"),
        ({"hooks.before_stop": "nodot"}, "'hooks.before_stop' isn't a hook"),
        ({"stdout_stream": "x"}, "'stdout_stream' isn't an object"),
        ({"stdout_stream": {"max_bytes": 1}}, "'stdout_stream' says neither class nor filename"),
        ({"stdout_stream.class": 5}, "'stdout_stream.class' isn't a text"),
        ({"stdout_stream": {"stream": "x"}}, "'stdout_stream.stream' isn't something to call"),
        (
            {"singleton": True, "numprocesses": 2},
            "'numprocesses' is more than a singleton may have",
        ),
        ({"copy_env": False, "copy_path": True}, "'copy_path' needs copy_env"),
        ({"on_demand": True}, "'on_demand' can only be given when the watcher is made"),
        ({"stdin_socket": "nope"}, "'stdin_socket' is no managed socket"),
        ({"unknown": 1}, "unknown key 'unknown'"),
        ({"name": "x"}, "unknown key 'name'"),
        ({"extra": {}}, "unknown key 'extra'"),
        ({"numproceses": 1}, "unknown key 'numproceses'"),
        ({".x": 1}, "unknown key '.x'"),
        ({"": 1}, "unknown key ''"),
        ({5: 1}, "unknown key '5'"),
    ],
)
def test_set_refuses(options: dict[Any, Any], reason: str) -> None:
    with pytest.raises(BadMessage) as refused:
        changed_spec(SPEC, {"priority": 9, **options}, sockets={"web"})
    assert str(refused.value) == reason
    assert refused.value.errno is Errno.MESSAGE_ERROR


def test_a_change_touches_nothing_of_the_old_spec() -> None:
    before = json.dumps(spec_as_json(SPEC))
    changed_spec(
        SPEC, {"rlimit_cpu": 1, "hooks.before_stop": "a.b", "stdout_stream.x": 1, "a.b": 1}
    )
    assert json.dumps(spec_as_json(SPEC)) == before


def test_add() -> None:
    spec = watcher_from_mapping(
        " New One ",
        {"cmd": "x", "numprocesses": 2, "args": None, "flapping.active": False},
        strict=True,
    )
    assert spec == WatcherSpec(
        name="New One", cmd="x", numprocesses=2, extra={"flapping.active": False}
    )


@pytest.mark.parametrize(
    ("name", "options", "reason"),
    [
        ("", {"cmd": "x"}, "'name' is missing"),
        ("  ", {"cmd": "x"}, "'name' is missing"),
        (None, {"cmd": "x"}, "'name' is missing"),
        ("w", {}, "'cmd' is missing"),
        ("w", {"cmd": "x", "foo": 1}, "unknown key 'foo'"),
        (
            "w",
            {"cmd": "x", "on_demand": True},
            "'on_demand' needs a socket: stdin_socket, sockets, or use_sockets",
        ),
        (
            "w",
            {"cmd": "", "singleton": True, "numprocesses": 3},
            "'cmd' is missing; 'numprocesses' is more than a singleton may have",
        ),
    ],
)
def test_add_refuses(name: Any, options: Mapping[str, Any], reason: str) -> None:
    with pytest.raises(BadMessage) as refused:
        watcher_from_mapping(name, options, strict=True)
    assert str(refused.value) == reason


class Listener:
    def __call__(self, **kwargs: object) -> bool:
        return True


def test_a_library_caller_gives_python_values() -> None:
    hook, stream = Listener(), Listener()
    partial = functools.partial(print)
    spec = watcher_from_mapping(
        "w",
        {
            "cmd": "x",
            "args": ("a", "b"),
            "uid": None,
            "env": None,
            "rlimits": {"nofile": 5},
            "rlimit_core": None,
            "working_dir": Path("/srv"),
            "stop_signal": SIGINT,
            "hooks": {"before_start": (hook, True), "after_start": hook, "before_stop": partial},
            "stdout_stream": {"stream": stream},
            "anything": 5,
        },
    )
    assert (spec.args, spec.working_dir, spec.stop_signal) == (("a", "b"), "/srv", 2)
    assert spec.rlimits == {"nofile": 5, "core": None}
    assert spec.hooks["before_start"] == HookSpec(hook, True)
    assert spec.extra == {"anything": 5}
    shown = spec_as_json(spec)
    assert json.loads(json.dumps(shown)) == shown
    assert shown["hooks.after_start"].endswith("Listener")
    assert shown["stdout_stream_conf"] == {"stream": "Listener"}


def test_options_shows_every_option() -> None:
    shown = spec_as_json(SPEC)
    assert set(declared_options(WatcherSpec)) <= set(shown)
    assert shown["args"] == []
    assert shown["stdout_stream_conf"] == {"class": "FileStream", "filename": "x"}
    assert shown["stderr_stream_conf"] == {}
    assert shown["rlimit_core"] == 0
    assert shown["hooks.after_start"] == "m.f"
    assert (shown["owner"], shown["flapping.window"]) == ("me", "1")
    assert json.loads(json.dumps(shown)) == shown


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("cmd", "sleep 1"),
        ("user", None),
        ("rlimit_CORE", 0),
        ("rlimits", {"core": 0}),
        ("stdout_stream", {"class": "FileStream", "filename": "x"}),
        ("stdout_stream_conf", {"class": "FileStream", "filename": "x"}),
        ("stdout_stream.class", "FileStream"),
        ("hooks.after_start", "m.f"),
        ("flapping_window", "1"),
        ("owner", "me"),
    ],
)
def test_get_knows_all_names(key: str, value: object) -> None:
    assert shown_option(SPEC, key) == value


@pytest.mark.parametrize(
    "key", ["nope", "rlimit_cpu", "rlimit_x", "hooks.before_stop", "stderr_stream.class", "a.b"]
)
def test_get_refuses_what_is_not_there(key: str) -> None:
    with pytest.raises(UnknownOption):
        shown_option(SPEC, key)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=5,
)
KEYS = st.sampled_from(
    [
        *declared_options(WatcherSpec),
        *("rlimits", "rlimit_core", "hooks", "hooks.after_start", "stdout_stream"),
        *("stdout_stream.class", "stderr_stream.x", "flapping.x", "user", "nope"),
    ]
) | st.text(max_size=8)


@given(st.dictionaries(KEYS, JSON, max_size=4))
def test_any_json_is_taken_or_refused(options: dict[str, Any]) -> None:
    try:
        new = changed_spec(SPEC, options)
    except BadMessage:
        return
    assert spec_as_json(watcher_from_mapping("w", spec_as_json(new))) == spec_as_json(new)


def test_arbiter_from_mapping() -> None:
    assert arbiter_from_mapping({}) == ArbiterSpec()
    spec = arbiter_from_mapping({"check_delay": 1, "statsd": True, "pidfile": None})
    assert (spec.check_delay, spec.stats_endpoint) == (1.0, "tcp://127.0.0.1:5557")


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"check_delay": "1"}, "'check_delay' isn't a number"),
        ({"nope": 1}, "unknown key 'nope'"),
        ({"endpoint": "x"}, "'endpoint' isn't an endpoint"),
        (
            {"endpoint": "tcp://h:1", "pubsub_endpoint": "tcp://h:1"},
            "'pubsub_endpoint' is the same as endpoint",
        ),
    ],
)
def test_arbiter_from_mapping_refuses(options: dict[str, Any], reason: str) -> None:
    with pytest.raises(BadMessage) as refused:
        arbiter_from_mapping(options)
    assert str(refused.value) == reason


def test_socket_from_mapping() -> None:
    assert socket_from_mapping("Web", {"port": 0}) == SocketSpec(name="web", port=0)
    with pytest.raises(BadMessage, match="'port' isn't an integer"):
        socket_from_mapping("web", {"port": "80"})
    with pytest.raises(BadMessage, match="'family' needs path"):
        socket_from_mapping("web", {"family": "AF_UNIX"})


def test_plugin_from_mapping() -> None:
    plugin = plugin_from_mapping(
        "p", {"use": "a.B", "filename": "x", "priority": 3, "stdout_stream": {"filename": "y"}}
    )
    assert (plugin.use, plugin.options) == ("a.B", {"filename": "x", "priority": 3})
    assert (plugin.watcher.name, plugin.watcher.priority) == ("plugin:p", 3)
    assert not plugin.watcher.close_child_stdout
    with pytest.raises(BadMessage, match="'use' is missing"):
        plugin_from_mapping("p", {})
    with pytest.raises(BadMessage, match="'priority' isn't an integer"):
        plugin_from_mapping("p", {"use": "a.B", "priority": "x"})


@pytest.mark.parametrize("key", ["stdout_stream", "stderr_stream_conf"])
def test_set_refuses_an_empty_stream_where_there_is_one(key: str) -> None:
    spec = changed_spec(SPEC, {"stdout_stream.filename": "x", "stderr_stream.filename": "y"})
    with pytest.raises(BadMessage, match="says neither class nor filename; null takes it away"):
        changed_spec(spec, {key: {}})
    assert not getattr(changed_spec(spec, {key: None}), key.removesuffix("_conf"))


@pytest.mark.parametrize(
    ("written", "shown"), [("a 'b c'", "a 'b c'"), (["a", "b c"], ["a", "b c"]), ("", []), ([], [])]
)
@pytest.mark.parametrize("key", ["args", "shell_args"])
def test_words_are_shown_in_the_form_in_which_they_were_given(
    key: str, written: object, shown: object
) -> None:
    spec = changed_spec(SPEC, {"shell": True, key: written})
    assert spec_as_json(spec)[key] == shown
    assert tuple(getattr(spec, key)) == (("a", "b c") if shown else ())
