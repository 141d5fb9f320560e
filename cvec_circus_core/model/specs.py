"""What the operator wants, as frozen values: one watcher, and the daemon itself.

Every option is declared here and nowhere else (see `options.py`). The sections and the meaning of
each key follow spec: config, sections circus and watcher.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cvec_circus_core.model.amounts import ALL, AMOUNT, NONE, Amount
from cvec_circus_core.model.capabilities import CAPABILITIES, Capabilities
from cvec_circus_core.model.endpoints import endpoint
from cvec_circus_core.model.env_and_limits import CPU_LIMIT, LIMIT, MAPPING, RLIMIT_NAMES
from cvec_circus_core.model.hook_specs import HOOK, HOOK_NAMES, HookSpec
from cvec_circus_core.model.kinds import (
    ACCOUNT,
    ANYTHING,
    BOOLEAN,
    EXIT_CODES,
    INTEGER,
    LOWER,
    NAMES,
    OCTAL,
    RESPAWN,
    SIGNAL,
    TEXT,
    WORDS,
    at_least,
    between,
    each,
    one_of,
    or_none,
)
from cvec_circus_core.model.options import Needs, Spec, family, free_form, option
from cvec_circus_core.model.quantities import DURATION, SIZE
from cvec_circus_core.model.readiness import AUTO, READINESS, Readiness
from cvec_circus_core.model.words import split_words

COUNT = at_least(INTEGER, 0)
SECONDS = at_least(DURATION, 0)
BYTES = at_least(SIZE, 0)

PORT = between(INTEGER, 0, 65535)
OPTIONAL_TEXT = or_none(TEXT)
OPTIONAL_NAME = or_none(LOWER)
LOWER_NAMES = each(NAMES, str.lower)
OPTIONAL_ACCOUNT = or_none(ACCOUNT)
OPTIONAL_OCTAL = or_none(OCTAL)
OPTIONAL_SIGNAL = or_none(SIGNAL)
OOM_SCORE = or_none(between(INTEGER, -1000, 1000))
ENDPOINT = endpoint("tcp", "ipc", "inproc")
OPTIONAL_ENDPOINT = or_none(ENDPOINT)
MULTICAST = or_none(endpoint("udp"))

RETRY, STOP, EXIT = "retry", "stop", "exit"
"""What may follow on a failure."""

IGNORE = "ignore"
"""What else may follow on the death of a daemon."""

_NEW = Needs.NEW_PROCESSES
_LATER = Needs.NEW_DAEMON


class WatcherSpec(Spec, frozen=True, kw_only=True):
    """One watcher: a command, how many processes of it, and how they live."""

    name: str
    cmd: str = option(
        "", TEXT, "the command line, split like a shell would", changing=_NEW, aliases=("command",)
    )
    args: tuple[str, ...] = option((), WORDS, "more arguments", changing=_NEW)
    executable: str | None = option(
        None,
        OPTIONAL_TEXT,
        "program file to run, while the first word of cmd stays argv[0]",
        changing=_NEW,
    )
    numprocesses: int = option(
        1, COUNT, "how many processes to keep", changing=Needs.RESIZE, aliases=("numprocs",)
    )
    warmup_delay: float = option(0.0, SECONDS, "seconds between two spawns of this watcher")
    working_dir: str | None = option(
        None,
        OPTIONAL_TEXT,
        "folder where processes start; the daemon's own when not given",
        changing=_NEW,
        aliases=("directory",),
    )
    shell: bool = option(False, BOOLEAN, "hand cmd to /bin/sh as it is written", changing=_NEW)
    shell_args: tuple[str, ...] = option(
        (), WORDS, "words after the shell's command string", changing=_NEW
    )
    uid: int | str | None = option(
        None, OPTIONAL_ACCOUNT, "user that processes run as", changing=_NEW, aliases=("user",)
    )
    gid: int | str | None = option(
        None,
        OPTIONAL_ACCOUNT,
        "group of the processes; the user's own when only uid is given",
        changing=_NEW,
        aliases=("group",),
    )
    umask: int | None = option(None, OPTIONAL_OCTAL, "umask of the processes", changing=_NEW)
    copy_env: bool = option(True, BOOLEAN, "start from the daemon's environment", changing=_NEW)
    copy_path: bool = option(
        False, BOOLEAN, "put the daemon's sys.path into PYTHONPATH; needs copy_env", changing=_NEW
    )
    env: Mapping[str, str] = option({}, MAPPING, "environment variables", changing=_NEW)
    env_file: tuple[str, ...] = option(
        (),
        WORDS,
        "files of environment variables such as .env, separated by blanks, read at each start of a "
        "process; later ones win, and env wins over all; with - before its name, a file may be "
        "missing",
        changing=_NEW,
    )
    rlimits: Mapping[str, int | None] = family(
        "rlimit_",
        LIMIT,
        "resource limit of the processes",
        changing=_NEW,
        names=RLIMIT_NAMES,
        kinds={"cpu": CPU_LIMIT},
        any_case=True,
        keeps_null=True,
    )
    no_new_privs: bool = option(
        False,
        BOOLEAN,
        "nothing that processes run gives them more rights: set-user-ID programs have no effect",
        changing=_NEW,
    )
    capabilities: Capabilities | None = option(
        None,
        CAPABILITIES,
        "capabilities that processes may have, and no others; a user other than root gets them too",
        changing=_NEW,
    )
    oom_score_adj: int | None = option(
        None,
        OOM_SCORE,
        "how soon the kernel ends processes when memory is short: 1000 first, -1000 never",
        changing=_NEW,
    )
    send_hup: bool = option(False, BOOLEAN, "reload by sending SIGHUP")
    stop_signal: int = option(15, SIGNAL, "signal that asks a process to stop")
    stop_children: bool = option(
        False, BOOLEAN, "send the stop signal to the children of a process too"
    )
    control_group: bool = option(
        False,
        BOOLEAN,
        "keep each process and all its descendants in a control group that nobody leaves, and kill "
        "them in one stroke, where the daemon may make groups (Linux); a start takes longer then",
        changing=_NEW,
    )
    graceful_timeout: float = option(30.0, SECONDS, "seconds between the stop signal and SIGKILL")
    finish_timeout: float = option(
        5.0,
        SECONDS,
        "seconds for a process that does not handle the stop signal to answer who is connected to "
        "its managed sockets; 0 to end it at once",
    )
    death_signal: int | None = option(
        None,
        OPTIONAL_SIGNAL,
        "signal that the kernel sends a process when circusd is gone without having stopped it, "
        "such as KILL (Linux); without it, processes then go on",
        changing=_NEW,
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
    max_age: float = option(
        0.0, SECONDS, "seconds after which a process is replaced; 0 for never", changing=_NEW
    )
    max_age_variance: float = option(
        30.0, SECONDS, "random seconds added to max_age, drawn once per process", changing=_NEW
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
        30.0,
        SECONDS,
        "seconds for a new process to be ready; later, the old ones are kept instead",
    )
    watchdog: float = option(
        0.0,
        SECONDS,
        "seconds between two WATCHDOG=1 of a process, later it is replaced; 0 for never",
        changing=_NEW,
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
    use_sockets: bool = option(
        False,
        BOOLEAN,
        "give managed sockets to the processes: those that cmd, args and env name, else all",
        changing=_NEW,
    )
    sockets: tuple[str, ...] = option(
        (),
        LOWER_NAMES,
        "managed sockets to give as LISTEN_FDS, descriptors from 3 on, in this order",
        changing=_NEW,
    )
    stdin_socket: str | None = option(
        None, OPTIONAL_NAME, "managed socket to put at descriptor 0", changing=_NEW
    )
    close_child_stdin: bool = option(True, BOOLEAN, "standard input is /dev/null", changing=_NEW)
    close_child_stdout: bool = option(
        False, BOOLEAN, "standard output goes to /dev/null", changing=_NEW
    )
    close_child_stderr: bool = option(
        False, BOOLEAN, "standard error goes to /dev/null", changing=_NEW
    )
    virtualenv: str | None = option(
        None,
        OPTIONAL_TEXT,
        "virtual environment put before PATH and PYTHONPATH; needs copy_env",
        changing=_NEW,
    )
    virtualenv_py_ver: str | None = option(
        None,
        OPTIONAL_TEXT,
        "Python version of the virtual environment, such as 3.12",
        changing=_NEW,
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
    stdout_stream: Mapping[str, Any] = family(
        "stdout_stream.",
        ANYTHING,
        "where standard output goes: class, filename, and what the class takes",
        changing=Needs.NEW_STREAMS,
        aliases=("stdout_stream_conf",),
    )
    stderr_stream: Mapping[str, Any] = family(
        "stderr_stream.",
        ANYTHING,
        "where standard error goes: class, filename, and what the class takes",
        changing=Needs.NEW_STREAMS,
        aliases=("stderr_stream_conf",),
    )
    keep_output: int = option(
        65_536,
        BYTES,
        "bytes of the last output of all its processes that are kept for tail; 0 for none",
        changing=_NEW,
    )
    redirect_stderr: bool = option(
        False,
        BOOLEAN,
        "standard error goes where standard output goes, both in the order in which they come",
        changing=_NEW,
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


class ArbiterSpec(Spec, frozen=True, kw_only=True):
    """The daemon itself: the ``[circus]`` section."""

    endpoint: str = option("tcp://127.0.0.1:5555", ENDPOINT, "control endpoint", changing=_LATER)
    pubsub_endpoint: str = option(
        "tcp://127.0.0.1:5556", ENDPOINT, "event endpoint", changing=_LATER
    )
    stats_endpoint: str | None = option(
        None, or_none(ENDPOINT), "statistics endpoint; giving it turns them on"
    )
    statsd: bool = option(False, BOOLEAN, "run the statistics process")
    stats_interval: float = option(
        1.0, between(DURATION, 0.1, 3600), "seconds between two samples while somebody listens"
    )
    stats_pss: bool = option(
        False, BOOLEAN, "statistics tell memory with shared parts counted in parts (PSS), too"
    )
    check_delay: float = option(
        5.0, at_least(DURATION, -1), "kept for plugins; deaths are noticed at once whatever it says"
    )
    include: tuple[str, ...] = option(
        (), WORDS, "files to read too; wildcards allowed, and quotes around names with blanks"
    )
    include_dir: tuple[str, ...] = option((), WORDS, "folders whose *.ini are read too")
    stream_backend: str | None = option(None, OPTIONAL_TEXT, "taken from older files", inert=True)
    warmup_delay: float = option(0.0, SECONDS, "seconds between starting one watcher and the next")
    shutdown_timeout: float = option(
        0.0,
        SECONDS,
        "seconds in which the daemon ends, whatever graceful_timeout says; 0 for no limit",
    )
    endpoint_owner: str | None = option(
        None,
        OPTIONAL_ACCOUNT,
        "user who owns the files of ipc endpoints, and may do everything",
        changing=_LATER,
    )
    allow_users: tuple[str, ...] = option(
        (), NAMES, "users, or @groups, who may do everything, as root and the daemon's user may"
    )
    allow_groups: tuple[str, ...] = option((), NAMES, "groups whose users may do everything")
    viewers: tuple[str, ...] = option(
        (), NAMES, "users, or @groups, who may read: look at watchers, hear events and statistics"
    )
    insecure: bool = option(
        False,
        BOOLEAN,
        "obey everybody who reaches an endpoint that other machines can reach",
        changing=_LATER,
    )
    curve_key: str | None = option(
        None,
        OPTIONAL_TEXT,
        "file with the daemon's key; endpoints that other machines can reach then take only those "
        "who are let in by key",
        changing=_LATER,
    )
    curve_authorized: str | None = option(
        None,
        OPTIONAL_TEXT,
        "file that lists who is let in by key; authorized_keys beside curve_key when not given",
    )
    multicast_endpoint: str | None = option(
        None, MULTICAST, "udp group that answers discovery; off when not given", changing=_LATER
    )
    umask: int | None = option(None, OPTIONAL_OCTAL, "umask of the daemon", changing=_LATER)
    httpd: bool = option(False, BOOLEAN, "run the web console; needs the extra web")
    httpd_host: str = option("localhost", TEXT, "where the web console listens")
    httpd_port: int = option(8080, PORT, "port of the web console")
    httpd_close_outputs: bool = option(False, BOOLEAN, "throw the console's output away")
    httpd_folder: str | None = option(
        None,
        OPTIONAL_TEXT,
        "folder with the console's people, tokens and sessions; httpd in the folder of keys when "
        "not given",
    )
    httpd_certfile: str | None = option(
        None, OPTIONAL_TEXT, "file with the certificate by which the console speaks TLS"
    )
    httpd_keyfile: str | None = option(
        None, OPTIONAL_TEXT, "file with its private key, where httpd_certfile does not hold it"
    )
    httpd_insecure: bool = option(
        False, BOOLEAN, "let the console listen to other machines without TLS and without a proxy"
    )
    httpd_root_path: str = option("", TEXT, "where a proxy puts the console, such as /circus")
    httpd_hosts: tuple[str, ...] = option(
        (), NAMES, "further names by which browsers may call the console; * for any"
    )
    httpd_proxies: tuple[str, ...] = option(
        (), NAMES, "addresses of proxies whose X-Forwarded headers the console believes"
    )
    httpd_proxy_header: str | None = option(
        None, OPTIONAL_TEXT, "header in which such a proxy names the person that it has signed in"
    )
    httpd_proxy_secret: str | None = option(
        None,
        OPTIONAL_TEXT,
        "file with the word that such a proxy sends as X-Circus-Proxy-Secret",
    )
    httpd_proxy_role: str = option(
        "viewer",
        one_of("operator", "viewer"),
        "what people may whom such a proxy names and whom the console does not know",
    )
    httpd_endpoints: tuple[str, ...] = option(
        (), NAMES, "control endpoints of further daemons that the console shows"
    )
    statsd_close_outputs: bool = option(
        False, BOOLEAN, "throw the statistics process's output away"
    )
    nice: int = option(
        0,
        between(INTEGER, -20, 0),
        "niceness of the daemon alone; below 0 it goes before what it starts, where it may",
        changing=_LATER,
    )
    realtime: bool = option(
        False,
        BOOLEAN,
        "schedule the daemon alone in real time (SCHED_RR); by nice where that is not allowed",
        changing=_LATER,
    )
    debug: bool = option(
        False, BOOLEAN, "show the output of the daemon's own helper processes", changing=_LATER
    )
    debug_gc: bool = option(False, BOOLEAN, "report what the garbage collector finds")
    keeper: bool = option(
        False,
        BOOLEAN,
        "a small process keeps children, pipes and sockets, so that the daemon may die and come "
        "back without them",
        changing=_LATER,
    )
    on_daemon_death: str = option(
        STOP,
        one_of(STOP, IGNORE),
        "what a start does with processes that a daemon has left which was killed: stop them "
        "before it starts its own, or ignore them",
        changing=_LATER,
    )
    keeper_patience: float = option(
        30.0,
        SECONDS,
        "seconds without an answer after which the keeper kills the daemon and starts it anew; "
        "0 for never",
        changing=_LATER,
    )
    pidfile: str | None = option(
        None, OPTIONAL_TEXT, "file that holds the daemon's pid", changing=_LATER
    )
    loglevel: str = option(
        "info", one_of("critical", "error", "warning", "info", "debug"), "how much is logged"
    )
    logoutput: str = option("-", TEXT, "log file, - for standard error, or a syslog:// address")
    loggerconfig: str | None = option(
        None, OPTIONAL_TEXT, "Python logging configuration to use instead"
    )
    fqdn_prefix: str | None = option(
        None, OPTIONAL_TEXT, "prefix of this daemon's name", changing=_LATER
    )
    skip_bad: bool = option(
        False, BOOLEAN, "leave bad watchers and sockets out instead of refusing to start"
    )
