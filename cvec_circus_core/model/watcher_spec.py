"""What the operator wants of one watcher: each option is declared here and nowhere else."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from cvec_circus_core.model.amounts import ALL, AMOUNT, NONE, Amount
from cvec_circus_core.model.capabilities import CAPABILITIES, Capabilities
from cvec_circus_core.model.env_and_limits import CPU_LIMIT, LIMIT, MAPPING, RLIMIT_NAMES
from cvec_circus_core.model.hook_specs import HOOK, HOOK_NAMES, HookSpec
from cvec_circus_core.model.kinds import (
    BOOLEAN,
    EXIT_CODES,
    INTEGER,
    NAMES,
    RESPAWN,
    SIGNAL,
    TEXT,
    WORDS,
    at_least,
    one_of,
)
from cvec_circus_core.model.option_kinds import (
    BYTES,
    COUNT,
    EXIT,
    LOWER_NAMES,
    OOM_SCORE,
    OPTIONAL_ACCOUNT,
    OPTIONAL_NAME,
    OPTIONAL_OCTAL,
    OPTIONAL_SIGNAL,
    OPTIONAL_TEXT,
    RETRY,
    SECONDS,
    STOP,
    stream_options,
)
from cvec_circus_core.model.options import Needs, Spec, family, free_form, option
from cvec_circus_core.model.readiness import AUTO, READINESS, Readiness
from cvec_circus_core.model.words import split_words

per_process = partial(option, changing=Needs.NEW_PROCESSES)
"""Declares an option that processes are started with: those that run do not change."""


class WatcherSpec(Spec, frozen=True, kw_only=True):
    """One watcher: a command, how many processes of it, and how they live."""

    name: str
    cmd: str = per_process(
        "", TEXT, "the command line, split like a shell would", aliases=("command",)
    )
    args: tuple[str, ...] = per_process((), WORDS, "more arguments")
    executable: str | None = per_process(
        None, OPTIONAL_TEXT, "program file to run, while the first word of cmd stays argv[0]"
    )
    numprocesses: int = option(
        1, COUNT, "how many processes to keep", changing=Needs.RESIZE, aliases=("numprocs",)
    )
    warmup_delay: float = option(0.0, SECONDS, "seconds between two spawns of this watcher")
    working_dir: str | None = per_process(
        None,
        OPTIONAL_TEXT,
        "folder where processes start; the daemon's own when not given",
        aliases=("directory",),
    )
    shell: bool = per_process(False, BOOLEAN, "hand cmd to /bin/sh as it is written")
    shell_args: tuple[str, ...] = per_process((), WORDS, "words after the shell's command string")
    uid: int | str | None = per_process(
        None, OPTIONAL_ACCOUNT, "user that processes run as", aliases=("user",)
    )
    gid: int | str | None = per_process(
        None,
        OPTIONAL_ACCOUNT,
        "group of the processes; the user's own when only uid is given",
        aliases=("group",),
    )
    umask: int | None = per_process(None, OPTIONAL_OCTAL, "umask of the processes")
    copy_env: bool = per_process(True, BOOLEAN, "start from the daemon's environment")
    copy_path: bool = per_process(
        False, BOOLEAN, "put the daemon's sys.path into PYTHONPATH; needs copy_env"
    )
    env: Mapping[str, str] = per_process({}, MAPPING, "environment variables")
    env_file: tuple[str, ...] = per_process(
        (),
        WORDS,
        "files of environment variables such as .env, separated by blanks, read at each start of a "
        "process; later ones win, and env wins over all; with - before its name, a file may be "
        "missing",
    )
    rlimits: Mapping[str, int | None] = family(
        "rlimit_",
        LIMIT,
        "resource limit of the processes",
        changing=Needs.NEW_PROCESSES,
        names=RLIMIT_NAMES,
        kinds={"cpu": CPU_LIMIT},
        any_case=True,
        keeps_null=True,
    )
    no_new_privs: bool = per_process(
        False,
        BOOLEAN,
        "nothing that processes run gives them more rights: set-user-ID programs have no effect",
    )
    capabilities: Capabilities | None = per_process(
        None,
        CAPABILITIES,
        "capabilities that processes may have, and no others; a user other than root gets them too",
    )
    oom_score_adj: int | None = per_process(
        None,
        OOM_SCORE,
        "how soon the kernel ends processes when memory is short: 1000 first, -1000 never",
    )
    send_hup: bool = option(False, BOOLEAN, "reload by sending SIGHUP")
    stop_signal: int = option(15, SIGNAL, "signal that asks a process to stop")
    stop_children: bool = option(
        False, BOOLEAN, "send the stop signal to the children of a process too"
    )
    control_group: bool = per_process(
        False,
        BOOLEAN,
        "keep each process and all its descendants in a control group that nobody leaves, and kill "
        "them in one stroke, where the daemon may make groups (Linux); a start takes longer then",
    )
    graceful_timeout: float = option(30.0, SECONDS, "seconds between the stop signal and SIGKILL")
    finish_timeout: float = option(
        5.0,
        SECONDS,
        "seconds for a process that does not handle the stop signal to answer who is connected to "
        "its managed sockets; 0 to end it at once",
    )
    death_signal: int | None = per_process(
        None,
        OPTIONAL_SIGNAL,
        "signal that the kernel sends a process when circusd is gone without having stopped it, "
        "such as KILL (Linux); without it, processes then go on",
    )
    max_retry: int = option(
        -1,
        at_least(INTEGER, -1),
        "failures in a row to start a process before a watcher that has no other is given up; "
        "-1 for never, or 5 where on_failure asks for giving up",
    )
    on_failure: str = option(
        RETRY,
        one_of(RETRY, STOP, EXIT),
        "what follows when processes fail in a row until none is left: retry, for ever and with "
        "growing pauses; stop, which gives the watcher up; exit, which ends circusd, too, "
        "with code 1",
    )
    max_age: float = per_process(
        0.0, SECONDS, "seconds after which a process is replaced; 0 for never"
    )
    max_age_variance: float = per_process(
        30.0, SECONDS, "random seconds added to max_age, drawn once per process"
    )
    rollout_surge: Amount = option(
        ALL,
        AMOUNT,
        "how many extra processes may be there while old ones are replaced",
        aliases=("rollout.surge",),
    )
    rollout_unavailable: Amount = option(
        NONE,
        AMOUNT,
        "how many processes may be missing while old ones are replaced",
        aliases=("rollout.unavailable",),
    )
    ready: Readiness = option(
        AUTO, READINESS, "what tells that a new process is ready, so that an old one may go"
    )
    settle: float = option(
        2.0,
        SECONDS,
        "seconds that a new process must live after it was ready, before an old one goes for it",
    )
    ready_timeout: float = option(
        30.0, SECONDS, "seconds for a new process to be ready; later, the old ones are kept instead"
    )
    watchdog: float = per_process(
        0.0,
        SECONDS,
        "seconds between two WATCHDOG=1 of a process, later it is replaced; 0 for never",
    )
    respawn: bool | str = option(
        True,
        RESPAWN,
        "replace processes that exit; unexpected: only those whose exit code is not in exit_codes",
        aliases=("autorestart",),
    )
    exit_codes: tuple[int, ...] = option(
        (0,),
        EXIT_CODES,
        "exit codes of a normal end, which is no failure where a process is not replaced",
        aliases=("exitcodes",),
    )
    autostart: bool = option(True, BOOLEAN, "start with the daemon")
    priority: int = option(0, INTEGER, "watchers with a higher one start first and stop last")
    singleton: bool = option(False, BOOLEAN, "never more than one process")
    max_numprocesses: int = option(
        100, COUNT, "how many processes those in its allow_users may ask for; others are not bound"
    )
    on_demand: bool = option(
        False,
        BOOLEAN,
        "start at the first connection to one of its sockets",
        changing=Needs.NEW_WATCHER,
    )
    use_sockets: bool = per_process(
        False,
        BOOLEAN,
        "give managed sockets to the processes: those that cmd, args and env name, else all",
    )
    sockets: tuple[str, ...] = per_process(
        (),
        LOWER_NAMES,
        "managed sockets to give as LISTEN_FDS, descriptors from 3 on, in this order",
    )
    stdin_socket: str | None = per_process(
        None, OPTIONAL_NAME, "managed socket to put at descriptor 0"
    )
    close_child_stdin: bool = per_process(True, BOOLEAN, "standard input is /dev/null")
    close_child_stdout: bool = per_process(False, BOOLEAN, "standard output goes to /dev/null")
    close_child_stderr: bool = per_process(False, BOOLEAN, "standard error goes to /dev/null")
    virtualenv: str | None = per_process(
        None, OPTIONAL_TEXT, "virtual environment put before PATH and PYTHONPATH; needs copy_env"
    )
    virtualenv_py_ver: str | None = per_process(
        None, OPTIONAL_TEXT, "Python version of the virtual environment, such as 3.12"
    )
    retry_pause: float = option(
        0.1, SECONDS, "pause after the second death in a row of a worker; doubles each time"
    )
    retry_pause_max: float = option(60.0, SECONDS, "longest pause before a worker is tried again")
    stable_after: float = option(
        10.0,
        SECONDS,
        "a process that is ready and has lived for so many seconds is well: deaths before it do "
        "not count any more",
    )
    quick_death: float = option(
        1.0, SECONDS, "a process that exits with 0 after fewer seconds counts as a death, too"
    )
    check_flapping: bool = option(True, BOOLEAN, "taken from older files", inert=True)
    use_papa: bool = option(False, BOOLEAN, "taken from older files", inert=True)
    stdout_stream: Mapping[str, Any] = stream_options("stdout", "standard output")
    stderr_stream: Mapping[str, Any] = stream_options("stderr", "standard error")
    keep_output: int = per_process(
        65_536,
        BYTES,
        "bytes of the last output of all its processes that are kept for tail; 0 for none",
    )
    redirect_stderr: bool = per_process(
        False,
        BOOLEAN,
        "standard error goes where standard output goes, both in the order in which they come",
    )
    allow_users: tuple[str, ...] = option(
        (),
        NAMES,
        "users, or @groups, who may start, stop, resize and signal this watcher and read about it",
    )
    hook_timeout: float = option(30.0, SECONDS, "seconds that a hook may take to answer")
    hooks: Mapping[str, HookSpec] = family(
        "hooks.",
        HOOK,
        "what is called at moments of the watcher's life",
        changing=Needs.NEW_HOOKS,
        names=HOOK_NAMES,
    )
    extra: Mapping[str, Any] = free_form(
        renamed={
            "flapping_attempts": "flapping.attempts",
            "flapping_window": "flapping.window",
            "retry_in": "flapping.retry_in",
        }
    )
    """Free-form options, kept for plugins and shown by ``options``."""

    def __post_init__(self) -> None:
        """Refuse what no single option can see. Raises ValueError."""
        if self.singleton and self.numprocesses > 1:
            raise ValueError(f"a singleton can not have numprocesses = {self.numprocesses}")
        if NONE == self.rollout_surge == self.rollout_unavailable:
            raise ValueError("a rollout must allow one process too many or one too few")

    @property
    def command_words(self) -> tuple[str, ...]:
        """The words of cmd and args. Raises ValueError where quotes do not match."""
        return (*split_words(self.cmd), *self.args)
