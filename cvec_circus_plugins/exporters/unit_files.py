"""Units of systemd: a service for each watcher, a template and a target where it has several
processes, and a socket unit for each managed socket that is used.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import ClassVar

from cvec_circus_core.api import Exported, ExportSource, SocketSpec
from cvec_circus_plugins.exporters._workload import (
    NUMBER,
    ONE,
    SOCKET,
    SPREAD,
    Workload,
    unique_labels,
    workloads_of,
)

_CARRIED = (
    *("working_dir", "graceful_timeout", "respawn", "exit_codes", "singleton", "stop_signal"),
    *("uid", "gid", "umask", "rlimits", "env_file", "no_new_privs", "oom_score_adj", "watchdog"),
    *("sockets", "use_sockets", "on_demand"),
)
_PLAIN = re.compile(r"[A-Za-z0-9_./:=@,+-]+")
_FIRST_DESCRIPTOR = 3
_SHORTEST = 0.001
_RESTARTS: Mapping[object, str] = {True: "always", False: "no"}


class SystemdExporter:
    """Writes unit files."""

    name = "systemd"
    summary = "units of systemd"
    hints: ClassVar[Mapping[str, str]] = {
        "ready": "see Type=notify, where the program says so",
        "rollout_surge": "a restart there stops first, then starts",
        "rollout_unavailable": "a restart there stops first, then starts",
        "max_age": "see RuntimeMaxSec",
        "priority": "write After= and Requires=",
        "stdout_stream": "the journal has it there; see StandardOutput=",
        "stderr_stream": "the journal has it there; see StandardError=",
        "where": "install the units where they are to run",
        "anti_affinity": "install the units where they are to run",
        "max_per_host": "install the units where they are to run",
        "max_retry": "see StartLimitBurst=",
    }

    def write(self, source: ExportSource) -> Exported:
        """Write the units."""
        exported = Exported()
        workloads = workloads_of(source)
        labels = unique_labels(workloads)
        known = {socket.name: socket for socket in source.sockets}
        for workload in workloads:
            label = labels[workload.name]
            sockets = _sockets_of(workload, known)
            is_several = workload.count > 1
            unit = f"{label}@.service" if is_several else f"{label}.service"
            exported.files[unit] = _unit(_service(workload, sockets, is_several=is_several))
            if is_several:
                exported.files[f"{label}.target"] = _unit(_target(label, workload.count))
            for socket in sockets:
                if not (socket.path or socket.port):
                    exported.lose(workload.name, f"socket {socket.name}: give its unit a port")
                exported.files[f"{socket.name}.socket"] = _unit(_socket_unit(socket, unit))
            exported.carried[workload.name] = workload.carried(*_CARRIED)
            if workload.fleet in (SPREAD, ONE):
                exported.lose(workload.name, "units are of one host, and know of no others")
            if is_several and sockets:
                exported.lose(workload.name, "a socket unit starts one service, not several")
        return exported


Lines = Iterator[tuple[str, str, str]]
"""Section, key and value."""


def _service(workload: Workload, sockets: Sequence[SocketSpec], *, is_several: bool) -> Lines:
    spec = workload.spec
    number = "%i" if is_several else "1"
    descriptors = {socket.name: _FIRST_DESCRIPTOR + at for at, socket in enumerate(sockets)}

    def filled(text: str) -> str:
        with_sockets = SOCKET.sub(lambda match: str(descriptors.get(match[1], "")), text)
        return "\0".join(NUMBER.split(with_sockets))

    def line(words: Sequence[str], *, is_command: bool) -> str:
        quoted = (_quoted(filled(word), is_command=is_command) for word in words)
        return " ".join(quoted).replace("\0", number)

    yield "Unit", "Description", _escaped(f"{workload.name}, as it was run by circusd")
    yield "Unit", "StartLimitIntervalSec", "0"
    yield "Service", "Type", "exec"
    yield "Service", "ExecStart", line(workload.words, is_command=True)
    for key, value in spec.env.items():
        yield "Service", "Environment", line([f"{key}={value}"], is_command=False)
    for path in spec.env_file:
        yield "Service", "EnvironmentFile", _escaped(path)
    if sockets:
        yield "Service", "Sockets", " ".join(f"{socket.name}.socket" for socket in sockets)
    yield from _limits(workload)
    if not (spec.on_demand and sockets):
        yield "Install", "WantedBy", "multi-user.target"


def _limits(workload: Workload) -> Lines:
    spec = workload.spec
    settings: dict[str, object] = {
        "WorkingDirectory": _escaped(spec.working_dir) if spec.working_dir else None,
        "User": spec.uid,
        "Group": spec.gid,
        "UMask": None if spec.umask is None else f"{spec.umask:04o}",
        "OOMScoreAdjust": spec.oom_score_adj,
        "NoNewPrivileges": "yes" if spec.no_new_privs else None,
        "KillSignal": workload.stop_signal,
        # There, 0 stands for no limit.
        "TimeoutStopSec": f"{max(spec.graceful_timeout, _SHORTEST):g}",
        "Restart": _RESTARTS.get(spec.respawn, "on-failure"),
        "RestartSec": "1",
        "WatchdogSec": f"{spec.watchdog:g}" if spec.watchdog else None,
    }
    if spec.respawn not in (True, False):
        settings["SuccessExitStatus"] = " ".join(map(str, spec.exit_codes))
    for name, limit in spec.rlimits.items():
        settings[f"Limit{name.upper()}"] = "infinity" if limit is None else limit
    yield from (
        ("Service", key, str(value)) for key, value in settings.items() if value is not None
    )


def _target(label: str, count: int) -> Lines:
    yield "Unit", "Description", f"all processes of {label}"
    names = (f"{label}@{number}.service" for number in range(1, count + 1))
    yield "Unit", "Wants", " ".join(names)
    yield "Install", "WantedBy", "multi-user.target"


def _socket_unit(socket: SocketSpec, service: str) -> Lines:
    yield "Unit", "Description", f"the socket {socket.name}"
    address = socket.path or (
        f"[{socket.host}]:{socket.port}" if ":" in socket.host else f"{socket.host}:{socket.port}"
    )
    address = address.replace("localhost:", "127.0.0.1:")
    is_datagram = "DGRAM" in str(socket.type)
    yield "Socket", "ListenDatagram" if is_datagram else "ListenStream", _escaped(address)
    if "@" not in service:
        yield "Socket", "Service", service
    yield "Install", "WantedBy", "sockets.target"


def _sockets_of(workload: Workload, known: Mapping[str, SocketSpec]) -> list[SocketSpec]:
    spec = workload.spec
    names = list(spec.sockets)
    if spec.use_sockets and not names:
        texts = (*workload.words, *spec.env.values())
        names = [match[1].lower() for text in texts for match in SOCKET.finditer(text)]
        names = names or sorted(known)
    return [known[name] for name in dict.fromkeys(names) if name in known]


def _unit(lines: Lines) -> str:
    sections: dict[str, list[str]] = {}
    for section, key, value in lines:
        sections.setdefault(section, [f"[{section}]"]).append(f"{key}={value}")
    return "\n\n".join("\n".join(section) for section in sections.values()) + "\n"


def _escaped(text: object) -> str:
    return str(text).replace("%", "%%")


def _quoted(word: str, *, is_command: bool) -> str:
    """Return one word as units have it; variables are not replaced in it."""
    text = _escaped(word)
    if is_command:
        text = text.replace("$", "$$")
    if _PLAIN.fullmatch(text.replace("\0", "")):
        return text
    escapes = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\t": "\\t", "\r": "\\r"}
    return '"' + "".join(escapes.get(letter, letter) for letter in text) + '"'
