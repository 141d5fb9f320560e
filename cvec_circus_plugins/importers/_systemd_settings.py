"""What settings of systemd's services are called here, and what there is instead of others."""

from __future__ import annotations

import re

from cvec_circus_core.api import ImportProblem
from cvec_circus_plugins.importers._unit_file import Setting

PLAIN = {
    "WorkingDirectory": "working_dir",
    "User": "uid",
    "Group": "gid",
    "UMask": "umask",
    "KillSignal": "stop_signal",
    "OOMScoreAdjust": "oom_score_adj",
    "NoNewPrivileges": "no_new_privs",
}
LIMITS = {
    f"Limit{name}": f"rlimit_{name.lower()}"
    for name in (
        *("CPU", "FSIZE", "DATA", "STACK", "CORE", "RSS", "NOFILE", "AS", "NPROC", "MEMLOCK"),
        *("NICE", "RTPRIO"),
    )
}
RESTARTS = {
    "no": {"respawn": "no"},
    "always": {"respawn": "yes"},
    "on-failure": {"autorestart": "unexpected"},
    "on-abnormal": {"autorestart": "unexpected"},
    "on-abort": {"autorestart": "unexpected"},
    "on-watchdog": {"autorestart": "unexpected"},
    "on-success": {"respawn": "yes"},
}
LOST = {
    "Type=forking": "the program has to stay in the foreground: most have an option for it",
    "Type=dbus": "no bus name is waited for; the process is ready when it has lived for a second",
    "Type=idle": "the process starts at once",
    "PIDFile": "the program has to stay in the foreground; its pid is known",
    "ExecStartPre": "write it before the program in cmd with shell = yes, or as hooks.before_start",
    "ExecStartPost": "see hooks.after_start",
    "ExecCondition": "see hooks.before_start, which can say no",
    "ExecStop": "a stop is stop_signal, then SIGKILL; see hooks.before_stop",
    "ExecStopPost": "see hooks.after_stop",
    "After": "see priority, and the page about order",
    "Before": "see priority, and the page about order",
    "Requires": "see priority, and the page about order",
    "Wants": "see priority, and the page about order",
    "BindsTo": "see priority, and the page about order",
    "PartOf": "see priority, and the page about order",
    "StartLimitBurst": "tries go on, with growing pauses; see max_retry and the flapping plugin",
    "StartLimitIntervalSec": "tries go on, with growing pauses; see the flapping plugin",
    "StartLimitInterval": "tries go on, with growing pauses; see the flapping plugin",
    "OnFailure": "see the notifier plugin",
    "RuntimeDirectory": "make the folder before; the unit that runs circusd can have it",
    "StateDirectory": "make the folder before; the unit that runs circusd can have it",
    "CacheDirectory": "make the folder before; the unit that runs circusd can have it",
    "LogsDirectory": "make the folder before; the unit that runs circusd can have it",
    "Nice": "write nice -n before the program in cmd",
    "Slice": "see control_group",
    "RootDirectory": "write chroot before the program in cmd",
    "UnsetEnvironment": "write env -u NAME before the program in cmd",
}
KNOWN = frozenset(
    (
        *PLAIN,
        *LIMITS,
        *("Description", "Documentation", "DefaultDependencies", "ExecStart", "ExecReload", "Type"),
        *(
            "Restart",
            "RestartSec",
            "TimeoutStopSec",
            "TimeoutStartSec",
            "TimeoutSec",
            "WatchdogSec",
        ),
        *("SuccessExitStatus", "RestartPreventExitStatus", "StandardOutput", "StandardError"),
        *("Environment", "EnvironmentFile", "CapabilityBoundingSet", "AmbientCapabilities"),
        *("KillMode", "SendSIGKILL", "RemainAfterExit", "SyslogIdentifier", "NotifyAccess"),
    )
)
"""What is read, and what has no meaning here."""
PREFIXES_OF_THE_KERNEL = (
    *("Protect", "Private", "Restrict", "ReadOnly", "ReadWrite", "Inaccessible", "SystemCall"),
    *("Memory", "CPU", "IO", "Tasks", "Device", "Lock", "Dynamic", "Bind", "Mount", "Remove"),
)

_UNITS = {"us": 1e-6, "ms": 0.001, "s": 1.0, "sec": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0}
_UNITS |= {"hr": 3600.0, "d": 86_400.0, "w": 604_800.0, "": 1.0}
_PART = re.compile(r"(\d+(?:\.\d+)?)\s*([a-z]*)\s*")


def seconds_of(text: str, setting: Setting | None) -> str:
    """Return a span of time of systemd's in seconds. Raises `ImportProblem`."""
    if not re.fullmatch(r"(\d+(\.\d+)?\s*[a-z]*\s*)+", text.strip()):
        raise ImportProblem(f"is no time: {text!r}", setting.origin if setting else None)
    try:
        seconds = sum(float(number) * _UNITS[unit] for number, unit in _PART.findall(text.strip()))
    except KeyError as error:
        sentence = f"has a unit that is not known: {error.args[0]}"
        raise ImportProblem(sentence, setting.origin if setting else None) from None
    return f"{seconds:.3f}".rstrip("0").rstrip(".")
