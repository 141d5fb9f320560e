"""What the operator wants of the daemon itself: each option is declared here and nowhere else."""

from __future__ import annotations

from cvec_circus_core.model.kinds import (
    BOOLEAN,
    INTEGER,
    NAMES,
    TEXT,
    WORDS,
    at_least,
    between,
    one_of,
    or_none,
)
from cvec_circus_core.model.option_kinds import (
    ADOPT,
    ENDPOINT,
    IGNORE,
    MULTICAST,
    OPTIONAL_ACCOUNT,
    OPTIONAL_OCTAL,
    OPTIONAL_TEXT,
    PORT,
    SECONDS,
    STOP,
)
from cvec_circus_core.model.options import Needs, Spec, option
from cvec_circus_core.model.quantities import DURATION

_LATER = Needs.NEW_DAEMON


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
        None, OPTIONAL_TEXT, "file with the word that such a proxy sends as X-Circus-Proxy-Secret"
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
        one_of(ADOPT, STOP, IGNORE),
        "what a start does with processes that a daemon has left which was killed: take them over, "
        "stop them before it starts its own, or ignore them",
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
