"""Every declared option: a text that is taken, and one that is refused with its place.

A new option without a row here fails `test_every_option_has_a_row`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from cvec_circus_core.config.build import Loaded
from cvec_circus_core.config.mappings import watcher_from_mapping
from cvec_circus_core.model.amounts import Amount
from cvec_circus_core.model.capabilities import Capabilities
from cvec_circus_core.model.errors import BadMessage
from cvec_circus_core.model.hook_specs import HOOK_NAMES, HookSpec
from cvec_circus_core.model.options import declared_families, declared_options, option_names
from cvec_circus_core.model.readiness import alive
from cvec_circus_core.model.socket_specs import SocketSpec
from cvec_circus_core.model.specs import ArbiterSpec, WatcherSpec

NUL = "a\0b"
INTEGER = "an integer"
COUNT = "an integer at least 0"
BYTES = "bytes, or a size such as 64k or 10MB, at least 0"
SECONDS = "seconds, or a time such as 250ms or 1h30m, at least 0"
BOOLEAN = "yes, true, on, 1, no, false, off or 0"
WORDS = "words, split like a shell would"
ACCOUNT = "a name or number"
OCTAL = "an octal number such as 022"
ENDPOINT = "an endpoint such as tcp://127.0.0.1:5555 or ipc:///run/circus.sock or inproc://circus"
NAMES = "names, separated by white space or commas"
LIMIT = "an integer of at least 0, or nothing for unlimited"
HOOK = "module.callable or module.callable,true"
PAIRS = "KEY=VALUE pairs, separated by commas"
PORT = "an integer from 0 to 65535"
TEXT = "any text"
CAPABILITIES = (
    "names of capabilities such as net_bind_service, or none, or ~ before names to take away"
)
AMOUNT = "a count such as 2, or a percentage such as 50%"
READY = "auto, spawned, alive:SECONDS, notify or log:REGEX"

Row = tuple[str, str, Any, str, str]
"""Key, right text, its value, wrong text, what the problem says is allowed."""

CIRCUS: list[Row] = [
    ("endpoint", "tcp://127.0.0.1:7777", "tcp://127.0.0.1:7777", "127.0.0.1:5555", ENDPOINT),
    ("pubsub_endpoint", "ipc:///run/x", "ipc:///run/x", "tcp://127.0.0.1", ENDPOINT),
    ("stats_endpoint", "tcp://[::1]:0", "tcp://[::1]:0", "tcp://127.0.0.1:70000", ENDPOINT),
    ("statsd", "on", True, "perhaps", BOOLEAN),
    ("stats_interval", "0.5", 0.5, "0.01", SECONDS.replace("at least 0", "from 0.1 to 3600")),
    ("stats_pss", "on", True, "perhaps", BOOLEAN),
    ("check_delay", "0.4", 0.4, "soon", SECONDS.replace("least 0", "least -1")),
    ("include", "", (), NUL, WORDS),
    ("include_dir", "", (), NUL, WORDS),
    ("stream_backend", "gevent", "gevent", NUL, TEXT),
    ("warmup_delay", "0.5", 0.5, "-1", SECONDS),
    ("shutdown_timeout", "9", 9.0, "-1", SECONDS),
    ("endpoint_owner", "www-data", "www-data", "", ACCOUNT),
    ("allow_users", "bob, 1001 @staff", ("bob", "1001", "@staff"), NUL, NAMES),
    ("allow_groups", "wheel", ("wheel",), NUL, NAMES),
    ("viewers", "carol,@watch", ("carol", "@watch"), NUL, NAMES),
    ("insecure", "yes", True, "perhaps", BOOLEAN),
    ("curve_key", "/etc/circus/daemon.key", "/etc/circus/daemon.key", NUL, TEXT),
    ("curve_authorized", "/etc/circus/keys", "/etc/circus/keys", NUL, TEXT),
    (
        "multicast_endpoint",
        "udp://237.219.251.97:12027",
        "udp://237.219.251.97:12027",
        "tcp://127.0.0.1:1",
        "an endpoint such as udp://237.219.251.97:12027",
    ),
    ("umask", "027", 0o27, "089", OCTAL),
    ("httpd", "1", True, "2", BOOLEAN),
    ("httpd_host", "0.0.0.0", "0.0.0.0", NUL, TEXT),
    ("httpd_port", "80", 80, "80000", PORT),
    ("httpd_close_outputs", "yes", True, "", BOOLEAN),
    ("httpd_folder", "/var/lib/circus", "/var/lib/circus", NUL, TEXT),
    ("httpd_certfile", "/etc/circus/web.pem", "/etc/circus/web.pem", NUL, TEXT),
    ("httpd_keyfile", "/etc/circus/web.key", "/etc/circus/web.key", NUL, TEXT),
    ("httpd_insecure", "yes", True, "perhaps", BOOLEAN),
    ("httpd_root_path", "/circus", "/circus", NUL, TEXT),
    ("httpd_hosts", "a.example, b", ("a.example", "b"), NUL, NAMES),
    ("httpd_proxies", "10.0.0.1", ("10.0.0.1",), NUL, NAMES),
    ("httpd_proxy_header", "X-Forwarded-User", "X-Forwarded-User", NUL, TEXT),
    ("httpd_proxy_secret", "/etc/circus/proxy", "/etc/circus/proxy", NUL, TEXT),
    ("httpd_proxy_role", "Operator", "operator", "root", "operator or viewer"),
    ("httpd_endpoints", "ipc:///a ipc:///b", ("ipc:///a", "ipc:///b"), NUL, NAMES),
    ("statsd_close_outputs", "YES", True, "ja", BOOLEAN),
    ("nice", "-5", -5, "1", "an integer from -20 to 0"),
    ("realtime", "no", False, "maybe", BOOLEAN),
    ("debug", "True", True, "tru", BOOLEAN),
    ("debug_gc", "true", True, "None", BOOLEAN),
    ("keeper", "yes", True, "maybe", BOOLEAN),
    ("on_daemon_death", "IGNORE", "ignore", "leave", "adopt, stop or ignore"),
    ("keeper_patience", "1m", 60.0, "-1", SECONDS),
    ("pidfile", "/run/x.pid", "/run/x.pid", NUL, TEXT),
    ("loglevel", "DEBUG", "debug", "loud", "critical, error, warning, info or debug"),
    ("logoutput", "syslog:///dev/log?daemon", "syslog:///dev/log?daemon", NUL, TEXT),
    ("loggerconfig", "log.yaml", "log.yaml", NUL, TEXT),
    ("fqdn_prefix", "web", "web", NUL, TEXT),
    ("skip_bad", "yes", True, "maybe", BOOLEAN),
]

WATCHER: list[Row] = [
    ("cmd", "prog -x 'a b'", "prog -x 'a b'", NUL, TEXT),
    ("args", "-u 'a b' $WID", ("-u", "a b", "$WID"), "'a b", WORDS),
    ("executable", "/usr/bin/x", "/usr/bin/x", NUL, TEXT),
    ("numprocesses", "0", 0, "-1", COUNT),
    ("warmup_delay", "0.5", 0.5, "nan", SECONDS),
    ("working_dir", "/srv", "/srv", NUL, TEXT),
    ("shell", "on", True, "bash", BOOLEAN),
    ("shell_args", "a 'b c'", ("a", "b c"), "'", WORDS),
    ("uid", "33", 33, "", ACCOUNT),
    ("gid", "www-data", "www-data", "", ACCOUNT),
    ("umask", "0o077", 0o77, "77777", OCTAL),
    ("copy_env", "off", False, "of", BOOLEAN),
    ("copy_path", "yes", True, "y", BOOLEAN),
    ("env", "A=1, B=x=y", {"A": "1", "B": "x=y"}, "A", PAIRS),
    ("env_file", ".env -'b c'", (".env", "-b c"), "'", "words, split like a shell would"),
    ("no_new_privs", "yes", True, "perhaps", BOOLEAN),
    (
        "capabilities",
        "~ CAP_SYS_ADMIN, bpf",
        Capabilities(("sys_admin", "bpf"), taken_away=True),
        "",
        CAPABILITIES,
    ),
    ("oom_score_adj", "-500", -500, "1001", "an integer from -1000 to 1000"),
    ("send_hup", "TRUE", True, "hup", BOOLEAN),
    ("stop_signal", "sigint", 2, "SIGNOTHING", "the name or number of a signal"),
    ("stop_children", "1", True, "all", BOOLEAN),
    ("control_group", "yes", True, "v2", BOOLEAN),
    ("graceful_timeout", "2.5", 2.5, "1e999", SECONDS),
    ("finish_timeout", "0", 0.0, "-1", SECONDS),
    ("death_signal", "KILL", 9, "SIGNOTHING", "the name or number of a signal"),
    ("max_retry", "-1", -1, "-2", "an integer at least -1"),
    ("on_failure", "exit", "exit", "halt", "retry, stop or exit"),
    ("max_age", "1h", 3600.0, "1y", SECONDS),
    ("max_age_variance", "0", 0.0, "-30", SECONDS),
    ("rollout_surge", "50%", Amount(50, percent=True), "-1", AMOUNT),
    ("rollout_unavailable", "2", Amount(2), "half", AMOUNT),
    ("ready", " Alive:2.5", alive(2.5), "log:(", READY),
    ("settle", "0", 0.0, "-1", SECONDS),
    ("ready_timeout", "2.5", 2.5, "-1", SECONDS),
    ("watchdog", "20", 20.0, "never", SECONDS),
    ("respawn", "no", False, "maybe", f"{BOOLEAN}; or unexpected"),
    ("exit_codes", "0, 2", (0, 2), "300", "numbers from 0 to 255, such as 0, 2"),
    ("autostart", "false", False, "later", BOOLEAN),
    ("priority", "-3", -3, "1.5", INTEGER),
    ("singleton", "yes", True, "one", BOOLEAN),
    ("max_numprocesses", "250", 250, "many", COUNT),
    ("on_demand", "yes", True, "demand", BOOLEAN),
    ("use_sockets", "yes", True, "web", BOOLEAN),
    ("sockets", "Web", ("web",), NUL, NAMES),
    ("stdin_socket", "Web", "web", NUL, "a name"),
    ("close_child_stdin", "no", False, "x", BOOLEAN),
    ("close_child_stdout", "yes", True, "x", BOOLEAN),
    ("close_child_stderr", "yes", True, "x", BOOLEAN),
    ("virtualenv", "/srv/venv", "/srv/venv", NUL, TEXT),
    ("virtualenv_py_ver", "3.12", "3.12", NUL, TEXT),
    ("retry_pause", "0.2", 0.2, "x", SECONDS),
    ("retry_pause_max", "20", 20.0, "x", SECONDS),
    ("stable_after", "20", 20.0, "x", SECONDS),
    ("quick_death", "2", 2.0, "x", SECONDS),
    ("check_flapping", "no", False, "x", BOOLEAN),
    ("use_papa", "yes", True, "x", BOOLEAN),
    ("keep_output", "1000", 1000, "-1", BYTES),
    ("redirect_stderr", "yes", True, "x", BOOLEAN),
    ("allow_users", "bob @staff", ("bob", "@staff"), NUL, NAMES),
    ("hook_timeout", "1", 1.0, "x", SECONDS),
]

SOCKET: list[Row] = [
    ("host", "0.0.0.0", "0.0.0.0", NUL, TEXT),
    ("port", "0", 0, "http", PORT),
    ("path", "/run/web.sock", "/run/web.sock", NUL, TEXT),
    ("family", "af_inet6", "AF_INET6", "inet", "AF_INET, AF_INET6 or AF_UNIX"),
    (
        "type",
        "sock_dgram",
        "SOCK_DGRAM",
        "SOCK_",
        "SOCK_STREAM, SOCK_DGRAM, SOCK_RAW, SOCK_RDM or SOCK_SEQPACKET",
    ),
    ("proto", "tcp", "tcp", NUL, TEXT),
    ("backlog", "10", 10, "-1", "an integer from 0 to 2147483647"),
    ("interface", "eth0", "eth0", NUL, TEXT),
    ("umask", "077", 0o77, "8", OCTAL),
    ("mode", "660", 0o660, "rw", OCTAL),
    ("owner", "www-data", "www-data", "", ACCOUNT),
    ("group", "33", 33, "", ACCOUNT),
    ("replace", "yes", True, "x", BOOLEAN),
    ("so_reuseport", "yes", True, "x", BOOLEAN),
    ("blocking", "yes", True, "x", BOOLEAN),
    ("use_papa", "yes", True, "x", BOOLEAN),
]

# What has to stand beside an option for it to make sense.
BESIDE = {
    "on_demand": "use_sockets = yes",
    "copy_env": "",
    "shell_args": "shell = yes",
}


def watcher_text(key: str, text: str) -> str:
    cmd = "" if key == "cmd" else "cmd = sleep 1\n"
    return f"[socket:web]\nport = 0\n[watcher:w]\n{cmd}{BESIDE.get(key, '')}\n{key} = {text}\n"


@pytest.mark.parametrize(("of", "rows"), [(ArbiterSpec, CIRCUS), (SocketSpec, SOCKET)])
def test_every_option_has_a_row(of: type, rows: list[Row]) -> None:
    assert [row[0] for row in rows] == list(declared_options(of))


def test_every_option_of_watchers_has_a_row() -> None:
    assert [row[0] for row in WATCHER] == list(declared_options(WatcherSpec))
    assert set(declared_families(WatcherSpec)) == {
        "rlimits",
        "stdout_stream",
        "stderr_stream",
        "hooks",
    }


@pytest.mark.parametrize(("key", "text", "value", "_wrong", "_allowed"), CIRCUS)
def test_circus_takes(
    read: Callable[..., Loaded], key: str, text: str, value: object, _wrong: str, _allowed: str
) -> None:
    loaded = read(f"[circus]\n{key} = {text}\n")
    assert not loaded.problems
    assert getattr(loaded.arbiter, key) == value


@pytest.mark.parametrize(("key", "text", "value", "_wrong", "_allowed"), WATCHER)
def test_a_watcher_takes(
    read: Callable[..., Loaded], key: str, text: str, value: object, _wrong: str, _allowed: str
) -> None:
    loaded = read(watcher_text(key, text))
    assert not loaded.problems
    assert getattr(loaded.watchers[0], key) == value


@pytest.mark.parametrize(("key", "text", "value", "_wrong", "_allowed"), SOCKET)
def test_a_socket_takes(
    read: Callable[..., Loaded], key: str, text: str, value: object, _wrong: str, _allowed: str
) -> None:
    path = "path = /run/web.sock\n" if key in ("mode", "owner", "group") else ""
    loaded = read(f"[socket:Web]\n{key} = {text}\n{path}")
    assert not loaded.problems
    assert getattr(loaded.sockets[0], key) == value


@pytest.mark.parametrize(
    ("section", "key", "wrong", "allowed"),
    [
        *(("circus", *(row[0], row[3], row[4])) for row in CIRCUS),
        *(("watcher:w", *(row[0], row[3], row[4])) for row in WATCHER),
        *(("socket:s", *(row[0], row[3], row[4])) for row in SOCKET),
    ],
)
def test_a_wrong_value_is_told_with_its_place(
    read: Callable[..., Loaded], section: str, key: str, wrong: str, allowed: str
) -> None:
    loaded = read(f"# head\n[{section}]\n{key} = {wrong}\n")
    problem = next(one for one in loaded.problems if one.key == key)
    assert problem.file.endswith("app.ini")
    assert (problem.line, problem.section, problem.value) == (3, section, wrong)
    assert problem.sentence.startswith("isn't ")
    assert problem.allowed == allowed


FAMILIES = [
    ("rlimit_nofile", "500", "rlimits", {"nofile": 500}, "many", LIMIT),
    ("rlimit_NOFILE", "", "rlimits", {"nofile": None}, "-5", LIMIT),
    ("rlimit_core", "unlimited", "rlimits", {"core": None}, "1.5", LIMIT),
    (
        "stdout_stream.class",
        "FileStream",
        "stdout_stream",
        {"class": "FileStream"},
        NUL,
        "anything",
    ),
    ("stderr_stream.filename", "x", "stderr_stream", {"filename": "x"}, NUL, "anything"),
    *(
        (f"hooks.{name}", "m.f", "hooks", {name: HookSpec("m.f", False)}, "f", HOOK)
        for name in sorted(HOOK_NAMES)
    ),
    (
        "hooks.before_start",
        "a.b, on",
        "hooks",
        {"before_start": HookSpec("a.b", True)},
        "a.b,x",
        HOOK,
    ),
    ("hooks.after_start", "a.b,0", "hooks", {"after_start": HookSpec("a.b", False)}, "a..b", HOOK),
]


@pytest.mark.parametrize(("key", "text", "field", "value", "wrong", "allowed"), FAMILIES)
def test_families(
    read: Callable[..., Loaded],
    key: str,
    text: str,
    field: str,
    value: object,
    wrong: str,
    allowed: str,
) -> None:
    loaded = read(watcher_text(key, text))
    assert not loaded.problems
    assert getattr(loaded.watchers[0], field) == value
    (problem,) = read(watcher_text(key, wrong)).problems
    assert (problem.key, problem.value, problem.allowed) == (key, wrong, allowed)
    assert problem.line == 6


@pytest.mark.parametrize(
    ("key", "meant"),
    [("rlimit_nofil", "rlimit_nofile"), ("hooks.after_stat", "hooks.after_start")],
)
def test_unknown_members_are_refused(read: Callable[..., Loaded], key: str, meant: str) -> None:
    (problem,) = read(watcher_text(key, "x.y")).problems
    assert problem.key == key
    assert meant in problem.allowed


@pytest.mark.parametrize(
    ("alias", "text", "field", "value"),
    [
        ("command", "x", "cmd", "x"),
        ("user", "www-data", "uid", "www-data"),
        ("group", "5", "gid", 5),
        ("directory", "/", "working_dir", "/"),
        ("numprocs", "3", "numprocesses", 3),
        ("autorestart", "no", "respawn", False),
        ("autorestart", "Unexpected", "respawn", "unexpected"),
        ("exitcodes", "2", "exit_codes", (2,)),
        ("flapping_attempts", "4", "extra", {"flapping.attempts": "4"}),
        ("flapping_window", "2", "extra", {"flapping.window": "2"}),
        ("retry_in", "9", "extra", {"flapping.retry_in": "9"}),
        ("flapping.active", "no", "extra", {"flapping.active": "no"}),
        ("rollout.surge", "2", "rollout_surge", Amount(2)),
        ("rollout.unavailable", "10%", "rollout_unavailable", Amount(10, percent=True)),
        ("web.colour", "2", "extra", {"web.colour": "2"}),
        ("owner", "me", "extra", {"owner": "me"}),
    ],
)
def test_older_names_and_free_form_options(
    read: Callable[..., Loaded], alias: str, text: str, field: str, value: object
) -> None:
    cmd = "" if alias == "command" else "cmd = sleep 1\n"
    loaded = read(f"[watcher:w]\n{cmd}{alias} = {text}\n")
    assert not loaded.problems
    assert bool(loaded.warnings) is (alias == "owner")  # it has no dot
    assert getattr(loaded.watchers[0], field) == value


def test_every_alias_is_tried_above() -> None:
    aliases = {alias for alias, name in option_names(WatcherSpec).items() if alias != name}
    dotted = {"rollout.surge", "rollout.unavailable"}
    older = {"command", "user", "group", "directory", "numprocs", "autorestart", "exitcodes"}
    assert aliases == older | dotted


@pytest.mark.parametrize(
    ("key", "text", "value"),
    [
        ("uid", "4294967295", 2**32 - 1),
        ("gid", "99999999999999999999", 10**20),
        ("umask", "77777", 0o77777),
        ("numprocesses", "1" + "0" * 30, 10**30),
        ("priority", "-" + "9" * 30, -(10**30)),
        ("rlimit_nofile", "9" * 30, 10**30),
    ],
)
def test_a_number_that_the_system_can_not_hold_is_refused(
    read: Callable[..., Loaded], key: str, text: str, value: int
) -> None:
    (problem,) = read(f"[watcher:w]\ncmd = x\n{key} = {text}\n").problems
    assert (problem.key, problem.line) == (key, 3)
    with pytest.raises(BadMessage, match=f"'{key}' isn't "):
        watcher_from_mapping("w", {"cmd": "x", key: value})
