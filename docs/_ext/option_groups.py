"""The options of watchers and of the daemon, by what one wants to do.

An option, or a family of them, that stands in no group is shown at the end, under `REST`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

REST = "Other options"

WATCHER = {
    "Say what runs": "cmd args executable shell shell_args working_dir virtualenv "
    "virtualenv_py_ver",
    "Say how many run": "numprocesses singleton max_numprocesses warmup_delay",
    "Start and stop": "autostart priority on_demand stop_signal stop_children graceful_timeout "
    "finish_timeout death_signal",
    "Restart what ends": "respawn exit_codes retry_pause retry_pause_max stable_after quick_death "
    "max_retry on_failure max_age max_age_variance watchdog check_flapping",
    "Reload without a gap": "ready ready_timeout settle rollout_surge rollout_unavailable send_hup",
    "Give processes their environment": "env env_file copy_env copy_path",
    "Listen at managed sockets": "use_sockets sockets stdin_socket use_papa",
    "Keep the output": "stdout_stream stderr_stream redirect_stderr keep_output close_child_stdin "
    "close_child_stdout close_child_stderr",
    "Limit what processes may do": "uid gid umask rlimits no_new_privs capabilities oom_score_adj "
    "control_group",
    "Say who may command it": "allow_users",
    "Call something of yours": "hooks hook_timeout",
}
DAEMON = {
    "Say where it listens": "endpoint pubsub_endpoint stats_endpoint multicast_endpoint "
    "fqdn_prefix",
    "Say who may command it": "allow_users allow_groups viewers endpoint_owner insecure curve_key "
    "curve_authorized",
    "Read more files": "include include_dir skip_bad",
    "Start and stop": "warmup_delay shutdown_timeout keeper keeper_patience on_daemon_death "
    "pidfile check_delay",
    "Keep its log": "loglevel logoutput loggerconfig debug debug_gc",
    "Publish statistics": "statsd stats_interval stats_pss statsd_close_outputs",
    "Serve the web console": "httpd httpd_host httpd_port httpd_close_outputs httpd_folder "
    "httpd_certfile httpd_keyfile httpd_insecure httpd_root_path httpd_hosts httpd_proxies "
    "httpd_proxy_header httpd_proxy_secret httpd_proxy_role httpd_endpoints",
    "Run with other rights": "umask nice realtime stream_backend",
}
SOCKET = {
    "Say where it listens": "host port path family type proto interface",
    "Say who may connect to a file": "mode umask owner group replace",
    "Say how connections come": "backlog so_reuseport blocking use_papa",
}
GROUPS: Mapping[str, Mapping[str, str]] = {"watcher": WATCHER, "daemon": DAEMON, "socket": SOCKET}


def grouped(whose: str, names: list[str]) -> Iterator[tuple[str, list[str]]]:
    """Yield each group with those of its options that there are; the rest comes last."""
    rest = dict.fromkeys(names)
    for title, words in GROUPS[whose].items():
        present = [name for name in words.split() if name in rest]
        for name in present:
            del rest[name]
        if present:
            yield title, present
    if rest:
        yield REST, list(rest)
