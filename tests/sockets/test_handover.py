"""Descriptors in a row: a real child has those and no others, and knows its own pid."""

from __future__ import annotations

import json
import os
import socket
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from cvec_circus_core.model.errors import CannotSpawn
from cvec_circus_core.model.launch import LaunchPlan
from cvec_circus_core.system.processes.descriptors import open_descriptors, seal_descriptors
from cvec_circus_core.system.processes.launch_files import LaunchFiles
from cvec_circus_core.system.processes.launcher import Launcher

pytestmark = pytest.mark.live

LOOK = """
import json, os
links = {int(fd): os.readlink(f"/proc/self/fd/{fd}") for fd in os.listdir("/proc/self/fd")
         if os.path.exists(f"/proc/self/fd/{fd}")}
print(json.dumps({"env": dict(os.environ), "pid": os.getpid(), "links": links}))
"""
ENV = {"PATH": "/usr/bin:/bin", "LISTEN_FDS": "2"}


@pytest.fixture(params=[False, True], ids=["closing", "sealed"])
def launcher(request: pytest.FixtureRequest) -> Launcher:
    if request.param:
        seal_descriptors()
    return Launcher(sealed=request.param)


@pytest.fixture
def sockets() -> Iterator[list[socket.socket]]:
    with ExitStack() as stack:
        yield [stack.enter_context(socket.socket()) for _ in range(4)]


def look(launcher: Launcher, listening: tuple[int, ...], **plan: Any) -> dict[str, Any]:
    read, write = os.pipe()
    argv = (sys.executable, "-I", "-c", LOOK)
    child = launcher.launch(
        LaunchPlan(**{"argv": argv, "env": ENV, **plan}),
        LaunchFiles(stdout=write, listening=listening),
    )
    os.close(write)
    with os.fdopen(read) as said:
        found: dict[str, Any] = json.load(said)
    assert child.wait() == 0
    assert found["pid"] == child.pid
    return found


def link(one: socket.socket) -> str:
    return f"socket:[{os.fstat(one.fileno()).st_ino}]"


def links(found: dict[str, Any]) -> dict[int, str]:
    return {int(fd): where for fd, where in found["links"].items() if int(fd) > 2}


@pytest.mark.parametrize("order", [(0, 1), (3, 0), (2, 2, 1)])
def test_they_stand_from_three_on(
    launcher: Launcher, sockets: list[socket.socket], order: tuple[int, ...]
) -> None:
    chosen = [sockets[number] for number in order]
    found = look(launcher, tuple(one.fileno() for one in chosen))
    assert links(found) == {3 + place: link(one) for place, one in enumerate(chosen)}
    assert found["env"]["LISTEN_PID"] == str(found["pid"])


def test_places_may_be_exchanged(launcher: Launcher) -> None:
    with ExitStack() as stack:
        some = [stack.enter_context(socket.socket()) for _ in range(12)]
        backwards = some[::-1]
        found = look(launcher, tuple(backward.fileno() for backward in backwards))
        assert list(links(found).values()) == [link(backward) for backward in backwards]


def test_with_a_user_a_folder_and_limits(launcher: Launcher, sockets: list[socket.socket]) -> None:
    how: dict[str, Any] = {"rlimits": {"nofile": 64}, "working_dir": "/"}
    if os.geteuid() == 0:
        how |= {"argv": ("python3", "-I", "-c", LOOK), "uid": "nobody"}
    with ExitStack() as stack:
        # An embedding process may have more of them open than its children are to have.
        for _ in range(100):
            stack.enter_context(socket.socket())
        found = look(launcher, (sockets[0].fileno(),), **how)
    assert links(found) == {3: link(sockets[0])}


def test_the_name_may_differ_from_the_program(
    launcher: Launcher, sockets: list[socket.socket]
) -> None:
    argv = ("web", "-I", "-c", LOOK)
    found = look(launcher, (sockets[0].fileno(),), argv=argv, executable=sys.executable)
    assert links(found) == {3: link(sockets[0])}


@pytest.mark.parametrize(
    ("argv", "sentence"),
    [
        (("nosuch",), "there is no such program in PATH"),
        (("/etc/passwd",), "it is not executable"),
    ],
)
def test_a_failure_is_explained_and_leaves_nothing(
    launcher: Launcher, sockets: list[socket.socket], argv: tuple[str, ...], sentence: str
) -> None:
    before = open_descriptors()
    row = tuple(one.fileno() for one in sockets)
    with pytest.raises(CannotSpawn, match=sentence):
        launcher.launch(LaunchPlan(argv=argv, env=ENV), LaunchFiles(listening=row))
    assert open_descriptors() == before


def test_a_descriptor_that_is_not_open_is_told(launcher: Launcher) -> None:
    with pytest.raises(CannotSpawn, match="descriptor 9999 is not open"):
        launcher.launch(LaunchPlan(argv=("true",), env=ENV), LaunchFiles(listening=(9999,)))
