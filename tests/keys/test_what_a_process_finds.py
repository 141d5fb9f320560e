"""Keys of a watcher that a process can see: each row is a section and what a worker finds.

All rows are watchers of one daemon. In a section, WITNESS is the command that writes down what it
finds, HOUSE the daemon's folder; a watcher is called after its row.
"""

from __future__ import annotations

import grp
import os
import pwd
from collections.abc import Callable, Mapping
from fnmatch import fnmatchcase

import pytest

from tests.keys.house import House
from tests.live.daemon import until

ROOT_ONLY = pytest.mark.skipif(os.geteuid() != 0, reason="only root may change users")


def member_of_many() -> str:
    """Return the user with the most groups."""
    users = (one.pw_name for one in pwd.getpwall() if one.pw_uid)
    return max(users, key=lambda name: len(groups_of(name)))


def groups_of(name: str) -> set[int]:
    """Return the numbers of all groups of a user."""
    own = pwd.getpwnam(name).pw_gid
    return {own, *(one.gr_gid for one in grp.getgrall() if name in one.gr_mem)}


MEMBER = member_of_many()
NOBODY = pwd.getpwnam("nobody")
NOTHING = "0" * 16
DAEMON = grp.getgrnam("daemon")

Facts = Mapping[str, str | None]
"""None: there is no such fact."""

ROWS: dict[str, tuple[str, Facts]] = {
    "cmd": ("cmd = WITNESS/$WID.cmd 'a b' \"c\"", {"words": "*|a b|c|"}),
    "args": ("cmd = WITNESS/$WID.args a\nargs = 'b c' $WID", {"words": "*|a|b c|1|"}),
    "executable": (
        "cmd = pretender HOUSE/witness.sh HOUSE/1.executable\nexecutable = /bin/sh",
        {"words": "pretender|*", "program": os.path.realpath("/bin/sh")},
    ),
    "working_dir": (
        "cmd = WITNESS/1.working_dir\nworking_dir = /usr/share",
        {"folder": "/usr/share"},
    ),
    "directory": ("cmd = WITNESS/1.directory\ndirectory = /usr", {"folder": "/usr"}),
    "shell": (
        'cmd = A="x y" && exec WITNESS/1.shell "$A" | cat\nshell = yes',
        {"words": "*|x y|", "stdout": "pipe:*"},
    ),
    "shell_args": (
        'cmd = exec WITNESS/1.shell_args "$0" "$1"\nshell = yes\nshell_args = zero "o n e"',
        {"words": "*|zero|o n e|"},
    ),
    "umask": ("cmd = WITNESS/1.umask\numask = 027", {"umask": "0027"}),
    "copy_env": ("cmd = WITNESS/1.copy_env\ncopy_env = yes", {"env OF_THE_DAEMON": "a$B"}),
    "no_copy_env": ("cmd = WITNESS/1.no_copy_env\ncopy_env = no", {"env OF_THE_DAEMON": None}),
    "copy_path": (
        "cmd = WITNESS/1.copy_path\ncopy_path = yes",
        {"env PYTHONPATH": "*site-packages*"},
    ),
    "virtualenv": (
        "cmd = WITNESS/1.virtualenv\nvirtualenv = HOUSE/venv\nvirtualenv_py_ver = 3.99",
        {
            "env PATH": "HOUSE/venv/bin:*",
            "env PYTHONPATH": "*HOUSE/venv/lib/python3.99/site-packages*",
        },
    ),
    "env": ("cmd = WITNESS/1.env", {"env OF_THE_FILE": "a$B/1", "env OF_ALL": "all"}),
    "rlimit_nofile": (
        "cmd = WITNESS/1.rlimit_nofile\nrlimit_nofile = 77",
        {"limit n": "77 77"},
    ),
    "rlimit_core": (
        "cmd = WITNESS/1.rlimit_core\nrlimit_CORE = 0",
        {"limit c": "0 0"},
    ),
    "rlimit_cpu": (
        "cmd = WITNESS/1.rlimit_cpu\nrlimit_cpu =",
        {"limit t": "unlimited unlimited"},
    ),
    "no_new_privs": (
        "cmd = WITNESS/1.no_new_privs\nno_new_privs = yes",
        {"NoNewPrivs": "1"},
    ),
    "no_no_new_privs": ("cmd = WITNESS/1.no_no_new_privs", {"NoNewPrivs": "0"}),
    "oom_score_adj": (
        "cmd = WITNESS/1.oom_score_adj\noom_score_adj = 321",
        {"oom_score_adj": "321"},
    ),
    "close_child_stdin": ("cmd = WITNESS/1.close_child_stdin", {"stdin": "/dev/null"}),
    "open_child_stdin": (
        "cmd = WITNESS/1.open_child_stdin\nclose_child_stdin = no",
        {"stdin": "HOUSE/stdin"},
    ),
    "close_child_stdout": (
        "cmd = WITNESS/1.close_child_stdout\nclose_child_stdout = yes\nkeep_output = 0",
        {"stdout": "/dev/null", "stderr": "HOUSE/out"},
    ),
    "close_child_stderr": (
        "cmd = WITNESS/1.close_child_stderr\nclose_child_stderr = yes\nkeep_output = 0",
        {"stdout": "HOUSE/out", "stderr": "/dev/null"},
    ),
    "redirect_stderr": (
        "cmd = WITNESS/1.redirect_stderr\nredirect_stderr = yes\nclose_child_stdout = yes",
        {"stdout": "/dev/null", "stderr": "/dev/null"},
    ),
    "stdout_stream": (
        "cmd = echo said; exec WITNESS/1.stdout_stream\nshell = yes\n"
        "stdout_stream.class = FileStream\nstdout_stream.filename = HOUSE/stream\n"
        "keep_output = 0",
        {"stderr": "HOUSE/out"},
    ),
    "numprocesses": ("cmd = WITNESS/$WID.numprocesses $WID\nnumprocesses = 3", {}),
    "included": ("", {"words": "*|included|"}),
    "in_a_folder": ("", {"words": "*|in a folder|"}),
    "daemons_umask": ("cmd = WITNESS/1.daemons_umask", {"umask": "0031"}),
}
OF_USERS: dict[str, tuple[str, Facts]] = {
    "uid_name": (
        "cmd = WITNESS/1.uid_name\nuid = nobody",
        {"uid": str(NOBODY.pw_uid), "gid": str(NOBODY.pw_gid), "groups": str(NOBODY.pw_gid)},
    ),
    "uid_number": (
        "cmd = WITNESS/1.uid_number\nuid = 12345\ngid = 54321",
        {"uid": "12345", "gid": "54321"},
    ),
    "user": ("cmd = WITNESS/1.user\nuser = nobody", {"uid": str(NOBODY.pw_uid)}),
    "gid_name": ("cmd = WITNESS/1.gid_name\ngid = daemon", {"uid": "0", "gid": str(DAEMON.gr_gid)}),
    "group": ("cmd = WITNESS/1.group\nuid = nobody\ngroup = daemon", {"gid": str(DAEMON.gr_gid)}),
    "capabilities": (
        "cmd = WITNESS/1.capabilities\nuid = nobody\ncapabilities = CAP_NET_BIND_SERVICE, chown",
        dict.fromkeys(("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"), "0000000000000401"),
    ),
    "no_capabilities": (
        "cmd = WITNESS/1.no_capabilities\ncapabilities = none",
        {"uid": "0", "CapPrm": NOTHING, "CapEff": NOTHING, "CapBnd": NOTHING},
    ),
    "groups": (f"cmd = WITNESS/1.groups\nuid = {MEMBER}", {}),
}
ALL = {**ROWS, **(OF_USERS if os.geteuid() == 0 else {})}

BESIDE = {
    "extra1.ini": "[watcher:included]\ncmd = WITNESS/1.included included\n",
    "more/a.ini": "[watcher:in_a_folder]\ncmd = WITNESS/1.in_a_folder 'in a folder'\n",
    "venv/bin/python": "",
    "venv/lib/python3.99/site-packages/thing.py": "",
}
CIRCUS = "umask = 031\ninclude = extra*.ini\ninclude_dir = HOUSE/more\n"
ENVIRONMENTS = "[env]\nOF_ALL = all\n[env:en*]\nOF_THE_FILE = $OF_THE_DAEMON/$WID\n"

Build = Callable[..., House]


@pytest.fixture(scope="module")
def house(build: Build) -> House:
    """Start the daemon of all rows."""
    sections = "".join(f"[watcher:{name}]\n{text}\n" for name, (text, _) in ALL.items() if text)
    return build(sections + ENVIRONMENTS, CIRCUS, BESIDE, OF_THE_DAEMON="a$B")


@pytest.mark.parametrize("name", ALL)
def test_a_worker_finds(house: House, name: str) -> None:
    found = house.facts(f"1.{name}")
    for key, wanted in ALL[name][1].items():
        pattern = None if wanted is None else house.fill(wanted)
        assert matches(found.get(key), pattern), f"{key}: {found.get(key)!r}, not {pattern!r}"


def matches(found: str | None, pattern: str | None) -> bool:
    """Compare, where a star stands for anything."""
    if found is None or pattern is None:
        return found is pattern
    return fnmatchcase(found, pattern)


@ROOT_ONLY
def test_a_worker_is_in_all_groups_of_its_user(house: House) -> None:
    found = house.facts("1.groups")
    assert set(map(int, str(found["groups"]).split())) == groups_of(MEMBER)


def test_a_stream_takes_what_a_worker_says(house: House) -> None:
    until(lambda: (house.folder / "stream").exists())
    until(lambda: (house.folder / "stream").read_text() == "said\n")


def test_each_of_several_finds_a_number_of_its_own(house: House) -> None:
    assert [house.facts(f"{wid}.numprocesses")["words"][-3:] for wid in (1, 2, 3)] == [
        "|1|",
        "|2|",
        "|3|",
    ]
    assert len(house.pids("numprocesses")) == 3
