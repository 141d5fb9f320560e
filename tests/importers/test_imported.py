"""What pm2, systemd and process-compose would run is run, with every loss told."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator, Mapping
from configparser import RawConfigParser
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.importers.runs import (
    Record,
    alive,
    circusd,
    imported,
    kill_all,
    prepared,
    records,
    samples,
)
from tests.programs import need, wait_until

pytestmark = pytest.mark.live


@dataclass(frozen=True)
class Expected:
    """What a sample has to become."""

    runs: tuple[tuple[str, ...], ...] = ()
    """What witnesses are called with, and go on with."""
    ends: tuple[tuple[str, ...], ...] = ()
    """What others are called with, and end by themselves for good."""
    env: Mapping[str, str] = field(default_factory=dict)
    """Variables that all of them have."""
    facts: Mapping[str, object] = field(default_factory=dict)
    """What else holds for all of them."""
    cwd: str = ""
    """Their folder, below that of the sample; the root folder is /."""
    options: Mapping[tuple[str, str], str] = field(default_factory=dict)
    """What options of watchers are."""
    lost: tuple[str, ...] = ()
    """Which keys are named as lost."""
    comes_again: bool = True
    """Whether those that run are started again when they die."""


PM2 = {
    "minimal": Expected(
        runs=((),),
        options={("minimal", "stop_signal"): "INT", ("minimal", "graceful_timeout"): "1.6"},
    ),
    "arguments": Expected(
        runs=(("serve", "--title", "two words"),),
        env={"NODE_ENV": "development", "DEBUG": "true", "LIMIT": "10"},
        lost=("apps[0].env_production",),
    ),
    "json": Expected(
        runs=(("work", "-q", "mail"),),
        ends=(("once", "--exit", "0"),),
        options={("worker", "graceful_timeout"): "3", ("worker", "retry_pause"): "0.5"},
        lost=("apps[0].max_restarts",),
    ),
    "yaml": Expected(
        runs=(("mail",),),
        cwd="sub",
        options={("mailer", "stdout_stream.time_format"): "%Y-%m-%d %H:%M %z"},
    ),
    "instances": Expected(runs=((), (), ())),
    "cluster": Expected(
        ends=(("cluster", "--detached"),) * 2,
        options={("cluster", "ready_timeout"): "10"},
        lost=(
            *("deploy", "apps[0].exec_mode", "apps[0].wait_ready"),
            *("apps[0].ignore_watch", "apps[0].watch"),
        ),
    ),
    "npm": Expected(runs=(("next", "start"),)),
    "python": Expected(runs=(("py", "--flag"),), env={"PYTHONPATH": "lib"}),
    "function": Expected(runs=(("a",), ("b",))),
    "node": Expected(ends=(("node", "--detached", "one", "two"),)),
}
SYSTEMD = {
    "gunicorn": Expected(
        runs=(("gunicorn", "--access-logfile", "-", "--workers", "3", "shop.wsgi:application"),),
        options={
            ("gunicorn", "graceful_timeout"): "5",
            ("gunicorn", "send_hup"): "yes",
            ("gunicorn", "stop_children"): "yes",
        },
        env={"FROM_DROP_IN": "yes"},
        lost=("After", "PrivateTmp"),
    ),
    "node": Expected(
        runs=(("node", "server.js"),),
        cwd="/",
        env={"NODE_ENV": "production", "PORT": "1337"},
        options={("node", "retry_pause"): "10", ("node", "graceful_timeout"): "90"},
    ),
    "on-failure": Expected(
        runs=(("worker", "two words", "its", "-flag"),),
        cwd="/",
        facts={"umask": 0o027, "nofile": 1024},
        options={("worker", "retry_pause"): "0.5", ("worker", "oom_score_adj"): "200"},
    ),
    "variables": Expected(
        runs=(("hello world", "x2", "-a", "-b", "$literal"),),
        cwd="/",
        env={"DOLLAR": "$HOME", "PERCENT": "100%", "OPTIONS": "-a -b"},
    ),
    "template": Expected(
        runs=(("celery", "-n", "worker1@%h", "--unit", "celery"),),
        cwd="/",
    ),
    "instance": Expected(
        runs=(("app", "--colour", "blue", "--unit", "app@blue.service"),),
        env={"COLOUR": "blue"},
    ),
    "socket": Expected(lost=("Requires",)),
    "oneshot": Expected(
        cwd="/",
        ends=(("first", "--exit", "0"), ("second", "--exit", "0")),
    ),
    "hardened": Expected(
        runs=(("hardened",),),
        cwd="/",
        options={("hardened", "no_new_privs"): "yes"},
        lost=(
            *("ProtectSystem", "ProtectHome", "RestrictAddressFamilies", "MemoryMax"),
            *("RuntimeDirectory", "ExecStartPre", "ExecStop"),
        ),
    ),
    "argv0": Expected(
        options={("argv0", "stop_signal"): "SIGINT", ("argv0", "graceful_timeout"): "90"}
    ),
}
PROCESS_COMPOSE = {
    "minimal": Expected(runs=(("hello", "two words"),), comes_again=False),
    "restarts": Expected(
        runs=(("always",),),
        ends=(("once", "--exit", "0"),),
        options={("always", "retry_pause"): "2"},
    ),
    "depends": Expected(
        runs=(("cache",), ("db",), ("web",)),
        options={("db", "priority"): "2", ("cache", "priority"): "1", ("web", "priority"): "0"},
    ),
    "environment": Expected(
        runs=(("app", "for all", "${OWN}"),),
        env={"COMMON": "for all", "OWN": "mine", "BOTH": "for all too", "PRICE": "5$"},
        comes_again=False,
    ),
    "mapping": Expected(
        runs=(("app",),),
        env={"LEVEL": "3", "DEBUG": "true", "NAME": "app", "FROM_FILE": "yes"},
        comes_again=False,
    ),
    "replicas": Expected(runs=(("worker",),) * 3),
    "folder": Expected(runs=(("sub",),), cwd="sub", comes_again=False),
    "script": Expected(runs=(("joined",),), comes_again=False),
    "shutdown": Expected(
        runs=(("polite",), ("with-command",)),
        options={("polite", "stop_signal"): "2", ("polite", "graceful_timeout"): "3"},
        lost=("processes.with-command.shutdown.command",),
        comes_again=False,
    ),
    "entrypoint": Expected(
        runs=(("ready",), ("words", "a b")),
        lost=("processes.ready.readiness_probe",),
        comes_again=False,
    ),
}
ALL = {"pm2": PM2, "systemd": SYSTEMD, "process-compose": PROCESS_COMPOSE}
CASES = [(kind, name) for kind, table in ALL.items() for name in table]


@pytest.fixture
def folder() -> Iterator[Path]:
    with TemporaryDirectory(prefix="imp") as short:
        yield Path(short)


def test_every_sample_has_its_expectation() -> None:
    assert {kind: sorted(table) for kind, table in ALL.items()} == {
        kind: samples(kind) for kind in ALL
    }


@pytest.mark.parametrize(("kind", "name"), CASES)
def test_what_was_meant_runs(kind: str, name: str, folder: Path) -> None:
    expected = ALL[kind][name]
    file = prepared(kind, name, folder)
    if file.suffix in (".js", ".cjs", ".mjs") or name == "node":
        need("node", "nodejs")
    ini, lost = imported(file)
    assert keys(lost) == sorted(expected.lost), lost
    parser = RawConfigParser()
    parser.read(ini)
    written = {key: parser[f"watcher:{key[0]}"].get(key[1]) for key in expected.options}
    assert written == expected.options
    with circusd(ini) as control:
        everything = [*expected.runs, *expected.ends]
        wait_until(lambda: argvs(records(folder)) == sorted(everything))
        for record in records(folder):
            check(record, expected, folder)
        wait_until(lambda: argvs(alive(folder)) == sorted(expected.runs))
        kill_all(folder)
        again = sorted(expected.runs) if expected.comes_again else []
        wait_until(lambda: argvs(alive(folder)) == again)
        if not expected.comes_again:
            control.wait_for("stopped", "status")


def check(record: Record, expected: Expected, folder: Path) -> None:
    """Compare what a witness has seen."""
    assert record["cwd"] == os.path.normpath(folder / expected.cwd)
    assert {name: record["env"].get(name) for name in expected.env} == expected.env
    assert {name: record[name] for name in expected.facts} == expected.facts


def argvs(found: list[Record]) -> list[tuple[str, ...]]:
    """Return what witnesses were called with, sorted."""
    return sorted(tuple(record["argv"]) for record in found)


def keys(lost: list[str]) -> list[str]:
    """Return the keys of losses: FILE, line N: KEY: sentence."""
    return sorted(loss.split(": ")[1] for loss in lost)


def test_a_socket_unit_starts_its_service_at_the_first_connection(folder: Path) -> None:

    ini, _ = imported(prepared("systemd", "socket", folder))
    with circusd(ini) as control:
        assert control("status", "web")[1] == "stopped\n"
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(str(folder / "web.sock"))
            wait_until(lambda: bool(records(folder)))
        (record,) = records(folder)
        assert record["env"]["LISTEN_FDS"] == "1"


def test_a_program_has_the_name_that_its_unit_gives_it(folder: Path) -> None:
    ini, _ = imported(prepared("systemd", "argv0", folder))
    with circusd(ini) as control:
        control.wait_for("active", "status", "argv0")
        (pid,) = control.pids("argv0")
        assert Path(f"/proc/{pid}/cmdline").read_bytes() == b"renamed\x001000\x00"


def test_numbers_of_instances(folder: Path) -> None:
    ini, _ = imported(prepared("pm2", "instances", folder))
    with circusd(ini):
        wait_until(lambda: len(alive(folder)) == 3)
        variables = [record["env"] for record in alive(folder)]
        assert {each["NODE_APP_INSTANCE"] for each in variables} == {"0", "1", "2"}
        assert {each["PORT"] for each in variables} == {"3000", "3001", "3002"}
