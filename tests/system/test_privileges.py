"""Rights that are taken from a child, read where the kernel keeps them: in its own status."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from cvec_circus_core.model.capabilities import CAPABILITIES, NAMES
from cvec_circus_core.model.errors import CannotSpawn
from cvec_circus_core.model.launch import LaunchPlan
from cvec_circus_core.system.processes.launcher import Launcher
from tests.system.test_launching import run, shell

pytestmark = [
    pytest.mark.live,
    pytest.mark.skipif(not sys.platform.startswith("linux"), reason="capabilities are of Linux"),
]
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root has capabilities to take away")

SETS = "sed -n 's/^Cap//p' /proc/self/status"


def sets(text: str | None, **plan: Any) -> dict[str, set[str]]:
    """Return the names in each set of a child that is started with these capabilities."""
    wanted = None if text is None else CAPABILITIES.parse(text)
    said = shell(SETS, capabilities=wanted, **plan)
    rows = (line.split(":") for line in said.splitlines())
    return {key: named(int(value, 16)) for key, value in rows}


def named(mask: int) -> set[str]:
    return {name for number, name in enumerate(NAMES) if mask >> number & 1}


@as_root
@pytest.mark.parametrize("extra", [{}, {"listening": (0,)}, {"rlimits": {"core": 0}}])
def test_a_user_gets_what_is_named_and_nothing_else_can_be_had(extra: dict[str, Any]) -> None:
    found = sets("net_bind_service kill", uid="nobody", **extra)
    assert all(found[key] == {"net_bind_service", "kill"} for key in ("Inh", "Prm", "Eff"))
    assert found["Bnd"] == found["Amb"] == {"net_bind_service", "kill"}


@as_root
def test_a_user_gets_nothing_by_what_is_taken_away() -> None:
    found = sets("~sys_admin", uid="nobody")
    assert found["Prm"] == found["Eff"] == found["Amb"] == set()
    assert found["Bnd"] == sets(None)["Bnd"] - {"sys_admin"}


@as_root
def test_root_keeps_what_is_named() -> None:
    found = sets("chown setuid")
    assert found["Prm"] == found["Eff"] == found["Bnd"] == {"chown", "setuid"}
    assert found["Amb"] == set()


@as_root
def test_root_keeps_what_is_not_taken_away() -> None:
    found, before = sets("~chown"), sets(None)
    assert found["Eff"] == before["Eff"] - {"chown"}
    assert found["Bnd"] == before["Bnd"] - {"chown"}


@as_root
def test_without_any_root_is_a_user_like_others(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("x")
    secret.chmod(0o600)
    os.chown(secret, 65534, 65534)
    assert shell(f"cat {secret}") == "x"
    assert shell(f"cat {secret} 2>&1", capabilities=CAPABILITIES.parse("none")).endswith("denied")


@as_root
def test_a_port_below_1024_can_be_had_by_a_user() -> None:
    # 1 to 1023 may be open to everybody in a container: then there is nothing to see.
    port = "import socket; s = socket.socket(); s.bind(('127.0.0.1', 0)); "
    script = (
        f"{port}s.close(); s = socket.socket(); s.setsockopt(1, 2, 1); s.bind(('127.0.0.1', 1))"
    )
    python = os.path.realpath("/usr/bin/python3")
    if not os.path.exists(python):
        pytest.skip("no python that every user may run")
    wanted = CAPABILITIES.parse("net_bind_service")
    assert run(python, "-c", f"{script}; print('bound')", uid="nobody", capabilities=wanted) == (
        "bound"
    )


def test_what_runs_gains_no_rights() -> None:
    assert shell("grep NoNewPrivs /proc/self/status", no_new_privs=True).split()[1] == "1"
    assert shell("grep NoNewPrivs /proc/self/status").split()[1] == "0"


@as_root
def test_a_set_user_id_program_has_no_effect_then(tmp_path: Path) -> None:
    # Not below tmp_path: its parents are closed to others.
    folder = Path(
        subprocess.check_output(["mktemp", "-d", "/tmp/rights.XXXXXX"], text=True).strip()
    )
    try:
        folder.chmod(0o755)
        program = folder / "id"
        program.write_bytes(Path("/usr/bin/id").read_bytes())
        program.chmod(0o4755)
        if os.statvfs(folder).f_flag & os.ST_NOSUID:
            pytest.skip("set-user-ID programs have no effect in /tmp anyway")
        assert run(str(program), "-u", uid="nobody") == "0"
        assert run(str(program), "-u", uid="nobody", no_new_privs=True) == "65534"
    finally:
        subprocess.run(["rm", "-r", folder], check=True)


@pytest.mark.parametrize("score", [0, 500, 1000])
def test_the_order_when_memory_is_short(score: int) -> None:
    own = int(Path("/proc/self/oom_score_adj").read_text())
    if score < own:
        pytest.skip(f"only root may go below {own}")
    assert shell("cat /proc/self/oom_score_adj", oom_score_adj=score) == str(score)
    assert int(Path("/proc/self/oom_score_adj").read_text()) == own


NOT_ROOT = """
import os, sys
from cvec_circus_core.model.capabilities import CAPABILITIES
from cvec_circus_core.model.errors import CannotSpawn
from cvec_circus_core.model.launch import LaunchPlan
from cvec_circus_core.system.processes.launcher import Launcher
if os.geteuid() == 0:
    os.setgroups([]); os.setgid(65534); os.setuid(65534)
os.chdir("/")
for how in ({"capabilities": CAPABILITIES.parse("none")}, {"oom_score_adj": -1000}):
    try:
        Launcher().launch(LaunchPlan(argv=("/bin/true",), env={}, **how)).wait()
        print("started")
    except CannotSpawn as error:
        print(error)
plan = LaunchPlan(argv=("/bin/true",), env={}, no_new_privs=True)
print(Launcher().launch(plan).wait(10))
"""


def test_who_is_not_root_is_told_what_he_can_not_do() -> None:
    said = subprocess.run(
        [sys.executable, "-c", NOT_ROOT], capture_output=True, text=True, timeout=30
    )
    assert said.stderr == ""
    taking, memory, rights = said.stdout.splitlines()
    assert taking == (
        "capabilities = none: only root may take capabilities from a process "
        "(this daemon has no setpcap); no_new_privs works for every user"
    )
    assert memory == "can not start '/bin/true': the system refused oom_score_adj=-1000"
    assert rights == "0"


@as_root
def test_what_the_daemon_has_not_it_can_not_give() -> None:
    lacking = next(iter(set(NAMES) - sets(None)["Prm"]), None)
    if lacking is None:
        pytest.skip("there is nothing that this machine keeps from root")
    plan = LaunchPlan(argv=("true",), env={}, capabilities=CAPABILITIES.parse(lacking))
    with pytest.raises(CannotSpawn, match=f"this daemon has no {lacking} itself"):
        Launcher().launch(plan)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("none", "none"),
        ("CAP_CHOWN,kill", "cap_chown cap_kill"),
        ("kill chown kill", "cap_chown cap_kill"),
        ("~ sys_admin", "~cap_sys_admin"),
    ],
)
def test_what_is_shown_can_be_given_back(text: str, shown: str) -> None:
    value = CAPABILITIES.parse(text)
    assert CAPABILITIES.show(value) == shown
    assert CAPABILITIES.check(shown) == CAPABILITIES.parse(shown) == value
    assert CAPABILITIES.check(None) is None
    assert CAPABILITIES.check([]) == CAPABILITIES.parse("none")


@pytest.mark.parametrize("wrong", ["", "  ", "~", "~none", "none chown", "fly", "cap_", "+chown"])
def test_what_is_no_capability_is_refused(wrong: str) -> None:
    with pytest.raises(ValueError, match="names of capabilities"):
        CAPABILITIES.parse(wrong)
