"""A plan becomes a process, or one clear sentence."""

from __future__ import annotations

import os
import pwd
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cvec_circus_core.model.errors import CannotSpawn
from cvec_circus_core.model.launch import LaunchPlan
from cvec_circus_core.system.processes.descriptors import seal_descriptors
from cvec_circus_core.system.processes.launch_files import LaunchFiles
from cvec_circus_core.system.processes.launcher import Launcher

pytestmark = pytest.mark.live

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root may become somebody else")
NOBODY = pwd.getpwnam("nobody")


def run(
    *argv: str,
    launcher: Launcher | None = None,
    numbered: tuple[int, ...] = (),
    listening: tuple[int, ...] = (),
    **plan: Any,
) -> str:
    """Launch, and return what it says."""
    plan.setdefault("env", {"PATH": "/usr/local/bin:/usr/bin:/bin"})
    read, write = os.pipe()
    try:
        child = (launcher or Launcher()).launch(
            LaunchPlan(argv=argv, **plan), LaunchFiles(None, write, None, numbered, listening)
        )
    except BaseException:
        os.close(read)
        raise
    finally:
        os.close(write)
    with os.fdopen(read) as said:
        text = said.read()
    child.wait()
    return text.strip()


def shell(script: str, **plan: Any) -> str:
    return run("/bin/sh", "-c", script, **plan)


@pytest.fixture(params=[False, True], ids=["closing", "sealed"])
def launcher(request: pytest.FixtureRequest) -> Launcher:
    return Launcher(sealed=request.param)


def make(path: Path, text: str, mode: int) -> str:
    path.write_text(text)
    path.chmod(mode)
    return str(path)


@pytest.mark.parametrize(
    ("plan", "sentence"),
    [
        ({"argv": ()}, "the command is empty"),
        ({"argv": ("",)}, "the command is empty"),
        ({"argv": ("nosuch",)}, r"can not start 'nosuch': there is no such program in PATH \(/bin"),
        ({"argv": ("/no/such",)}, "can not start '/no/such': there is no such program"),
        ({"argv": ("/tmp",)}, "can not start '/tmp': it is a folder, not a program"),
        ({"argv": ("{plain}",)}, "plain': it is not executable"),
        ({"argv": ("{bare}",)}, "bare': it is neither a binary for this machine nor a script"),
        ({"argv": ("{strange}",)}, "strange': its interpreter '/no/interpreter' is not there"),
        ({"argv": ("a\0b",)}, "an argument contains a null character"),
        (
            {"argv": ("true", "x" * 4_000_000)},
            "its arguments and environment are too long: x+… has",
        ),
        (
            {"env": {"BIG": "x" * 131_071}},
            "too long: BIG=x+… has 131075 bytes, and the system takes",
        ),
        (
            {"argv": ("true", *["x" * 100_000] * 50)},
            "environment are too long: 5000022 bytes in all",
        ),
        ({"env": {"A=B": "c"}}, "the environment variable 'A=B' can not be passed on"),
        ({"working_dir": "/no/folder"}, "there is no folder '/no/folder' to start in"),
        ({"working_dir": "/etc/passwd"}, "'/etc/passwd' is not a folder to start in"),
        ({"uid": "nosuchuser"}, "there is no user named 'nosuchuser'"),
        ({"gid": "nosuchgroup"}, "there is no group named 'nosuchgroup'"),
        ({"uid": 54321}, "user 54321 has no account that tells its group; give a group too"),
        ({"rlimits": {"nosuch": 1}}, "there is no resource limit named 'nosuch'"),
        ({"rlimits": {"nofile": 10**12}}, "nofile=1000000000000"),
    ],
)
def test_what_is_missing_is_said(tmp_path: Path, plan: dict[str, Any], sentence: str) -> None:
    files = {
        "plain": make(tmp_path / "plain", "echo", 0o644),
        "bare": make(tmp_path / "bare", "echo", 0o755),
        "strange": make(tmp_path / "strange", "#!/no/interpreter -x\n", 0o755),
    }
    argv = tuple(word.format(**files) for word in plan.pop("argv", ("true",)))
    with pytest.raises(CannotSpawn, match=sentence) as said:
        Launcher().launch(LaunchPlan(argv=argv, **{"env": {"PATH": "/bin:/usr/bin"}, **plan}))
    assert "\n" not in said.value.reason


@pytest.mark.parametrize(
    "files",
    [LaunchFiles(stdout=9999), LaunchFiles(numbered=(9999,)), LaunchFiles(listening=(9999,))],
)
def test_a_descriptor_that_is_not_open_is_told(files: LaunchFiles) -> None:
    with pytest.raises(CannotSpawn, match="can not start 'true': descriptor 9999 is not open"):
        Launcher().launch(LaunchPlan(argv=("true",), env={"PATH": "/bin"}), files)


@as_root
def test_whom_a_folder_is_closed_to_is_said(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.mkdir(mode=0o700)
    program = make(secret / "program", "#!/bin/sh\n", 0o755)
    with pytest.raises(CannotSpawn, match="user 'nobody' may not run it"):
        run(program, uid="nobody")


def test_only_root_may_become_another(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: NOBODY.pw_uid)
    with pytest.raises(CannotSpawn, match="only root may start a process as user 'root'"):
        run("true", uid="root")


def test_the_first_argument_need_not_be_the_program() -> None:
    assert run("another name", "-c", "echo $0", executable="/bin/sh") == "another name"


def test_the_environment_is_the_plans_alone() -> None:
    assert run("/usr/bin/env", env={"ONLY": "this"}) == "ONLY=this"


def test_folder_and_umask(tmp_path: Path) -> None:
    said = shell("pwd; umask", working_dir=str(tmp_path), umask=0o27)
    assert said.split() == [str(tmp_path.resolve()), "0027"]


def test_it_leads_a_session_of_its_own() -> None:
    pid, session = shell("echo $$; ps -o sid= -p $$").split()
    assert pid == session


def test_standard_input_is_empty_unless_given() -> None:
    assert shell("readlink /proc/self/fd/0") == "/dev/null"


@as_root
@pytest.mark.parametrize("rlimits", [{}, {"core": 0}], ids=["native", "with limits"])
def test_a_user_brings_its_groups(rlimits: dict[str, int]) -> None:
    groups = {str(gid) for gid in os.getgrouplist("nobody", NOBODY.pw_gid)}
    said = shell("id -u; id -g; id -G", uid="nobody", rlimits=rlimits).splitlines()
    assert said[:2] == [str(NOBODY.pw_uid), str(NOBODY.pw_gid)]
    assert set(said[2].split()) == groups
    assert shell("id -u; id -g", uid=54321, gid=12345, rlimits=rlimits).split() == [
        "54321",
        "12345",
    ]


def test_limits_are_set(launcher: Launcher) -> None:
    said = run(
        "/bin/sh",
        "-c",
        "ulimit -n; ulimit -c",
        rlimits={"nofile": 77, "core": 0},
        launcher=launcher,
    )
    assert said.split() == ["77", "0"]


@pytest.fixture
def leaky() -> Iterator[int]:
    """A descriptor that would pass exec, as a careless library opens it."""
    fd = os.open("/dev/null", os.O_RDONLY)
    yield fd
    os.close(fd)


def test_kept_descriptors_and_no_others_pass(launcher: Launcher, leaky: int) -> None:
    kept = [os.dup(leaky) for _ in range(3)]
    if launcher.sealed:
        seal_descriptors()
    else:
        os.set_inheritable(leaky, True)
    try:
        # The process that runs the tests may have many open.
        last = max(99, *kept) + 20
        loop = "[ -e /proc/$$/fd/$i ] && echo $i; i=$((i+1))"
        script = f"i=0; while [ $i -lt {last} ]; do {loop}; done"
        said = run("/bin/sh", "-c", script, launcher=launcher, numbered=tuple(kept))
        assert not any(os.get_inheritable(fd) for fd in kept)
    finally:
        for fd in kept:
            os.close(fd)
    assert {int(word) for word in said.split()} == {0, 1, 2, *kept}


def test_signals_begin_with_a_clean_slate() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR2])
    try:
        said = shell("grep -E '^Sig(Blk|Ign)' /proc/self/status")
    finally:
        signal.signal(signal.SIGHUP, before)
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
    assert [line.split()[1].strip("0") for line in said.splitlines()] == ["", ""]


_NOFILE = """
import os, resource, sys
from cvec_circus_core.model.launch import LaunchPlan
from cvec_circus_core.system.processes.descriptors import nofile, raise_nofile_limit
from cvec_circus_core.system.processes.descriptors import seal_descriptors
from cvec_circus_core.system.processes.launch_files import LaunchFiles
from cvec_circus_core.system.processes.launcher import Launcher

resource.setrlimit(resource.RLIMIT_NOFILE, (256, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
raised = raise_nofile_limit()
assert raised > 256, raised
high = nofile.move_up(os.open("/dev/null", os.O_RDONLY))
assert high >= 256 and not os.get_inheritable(high), high
held = [os.open("/dev/null", os.O_RDONLY) for _ in range(int(sys.argv[1]))]
plan = LaunchPlan(argv=("/bin/sh", "-c", "ulimit -Sn; ulimit -Hn"), env={})
assert Launcher().launch(plan).wait(10) == 0
assert resource.getrlimit(resource.RLIMIT_NOFILE) == (raised, raised)
"""


@pytest.mark.parametrize("held", [0, 150, 240])
def test_children_get_the_original_limit_of_descriptors(held: int) -> None:
    program = [sys.executable, "-c", _NOFILE, str(held)]
    said = subprocess.run(program, capture_output=True, text=True, timeout=30)
    assert said.stderr == ""
    soft, hard = said.stdout.split()
    assert soft == "256"
    assert int(hard) > 256


@as_root
def test_a_folder_of_path_that_may_not_be_searched_has_no_program(tmp_path: Path) -> None:
    # Root may search every folder: the plan is looked at by somebody else.
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    tmp_path.chmod(0o755)
    for parent in tmp_path.parents[:2]:
        parent.chmod(0o755)
    script = (
        "import os, sys; "
        "from cvec_circus_core.model.launch import LaunchPlan; "
        "from cvec_circus_core.model.errors import CannotSpawn; "
        "from cvec_circus_core.system.processes.launcher import Launcher; "
        "os.setuid(65534)\n"
        "for sealed in (False, True):\n"
        "  for program in ('nope', sys.argv[1] + '/nope'):\n"
        "    try: Launcher(sealed=sealed).launch(LaunchPlan(\n"
        "        argv=(program,), env={'PATH': sys.argv[1] + ':/usr/bin'}))\n"
        "    except CannotSpawn as error: print(error)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(closed)], capture_output=True, text=True, timeout=60
    )
    assert done.stderr == ""
    in_path = f"can not start 'nope': there is no such program in PATH ({closed}:/usr/bin)"
    by_name = f"can not start '{closed}/nope': there is no such program"
    assert done.stdout.splitlines() == [in_path, by_name] * 2
