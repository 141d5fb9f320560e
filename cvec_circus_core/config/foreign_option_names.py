"""Words that other managers use for what a watcher has under another name, or has not.

Loaded when somebody has written a key that no option has. What is said stands in a warning: "is
kept as a free-form option; did you mean working_dir?"
"""

from __future__ import annotations

MEANT = {
    **dict.fromkeys(("stop_timeout", "stopwaitsecs", "timeoutstopsec"), "graceful_timeout"),
    **dict.fromkeys(("startsecs", "start_delay", "min_uptime"), "ready = alive:SECONDS"),
    **dict.fromkeys(("startretries", "max_restarts", "retries"), "max_retry"),
    **dict.fromkeys(("cwd", "workdir", "chdir", "workingdirectory"), "working_dir"),
    **dict.fromkeys(("environment", "environ", "envs"), "the section [env:NAME]"),
    **dict.fromkeys(("environmentfile", "envfile", "dotenv"), "env_file"),
    **dict.fromkeys(("stdout_logfile", "out_file", "standardoutput"), "stdout_stream.filename"),
    **dict.fromkeys(("stderr_logfile", "error_file", "standarderror"), "stderr_stream.filename"),
    **dict.fromkeys(("logfile", "log_file", "output"), "stdout_stream.filename"),
    **dict.fromkeys(("stdout_logfile_maxbytes", "stdout_maxbytes"), "stdout_stream.max_bytes"),
    **dict.fromkeys(("stdout_logfile_backups", "stdout_backups"), "stdout_stream.backup_count"),
    "stderr_logfile_maxbytes": "stderr_stream.max_bytes",
    "stderr_logfile_backups": "stderr_stream.backup_count",
    **dict.fromkeys(("stopsignal", "killsignal", "kill_signal"), "stop_signal"),
    **dict.fromkeys(("killasgroup", "stopasgroup", "killmode"), "stop_children"),
    **dict.fromkeys(("restart", "keepalive", "keep_alive"), "respawn"),
    **dict.fromkeys(("autostart_delay", "restart_delay", "restartsec"), "retry_pause"),
    **dict.fromkeys(("instances", "processes", "workers", "concurrency"), "numprocesses"),
    **dict.fromkeys(("execstart", "exec", "program", "script"), "cmd"),
    **dict.fromkeys(("limitnofile", "nofile", "minfds"), "rlimit_nofile"),
    "loglevel": "loglevel in [circus]",
}
"""What is ours, by their word in lower case."""

NONE_OF_OURS = {
    "process_name": "workers go by their number, $(circus.wid) in cmd and args",
    "serverurl": "processes are told nothing of the daemon",
    "depends_on": "priority says who starts first",
    **dict.fromkeys(
        ("fleet", "where", "anti_affinity", "max_per_host"),
        "watchers of a fleet stand in a file of their own, for circusctl fleet apply",
    ),
}
"""What there is instead, where we have no such option."""


def hint(key: str) -> str:
    """Return what to say of a key, as the end of a sentence; empty where it is no such word."""
    word = key.lower().replace("-", "_")
    if meant := MEANT.get(word):
        return f"did you mean {meant}?"
    return NONE_OF_OURS.get(word, "")
