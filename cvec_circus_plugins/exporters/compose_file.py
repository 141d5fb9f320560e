"""A compose file: a service for each watcher."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from cvec_circus_core.api import Exported, ExportSource
from cvec_circus_plugins.exporters._workload import ALL, ONE, Workload, unique_labels, workloads_of
from cvec_circus_plugins.exporters._yaml_text import yaml_text

_CARRIED = (
    *("working_dir", "graceful_timeout", "respawn", "singleton", "stop_signal", "uid", "gid"),
    *("env_file", "rlimits"),
)
_RESTARTS: Mapping[object, str] = {True: "unless-stopped", False: "no"}


class ComposeExporter:
    """Writes a compose file."""

    name = "compose"
    summary = "a compose file"
    hints: ClassVar[Mapping[str, str]] = {
        "ready": "write a healthcheck",
        "watchdog": "write a healthcheck",
        "rollout_surge": "see deploy.update_config",
        "rollout_unavailable": "see deploy.update_config",
        "where": "see deploy.placement.constraints",
        "max_per_host": "see deploy.placement.max_replicas_per_node",
        "sockets": "let the program bind its port, and write ports",
        "use_sockets": "let the program bind its port, and write ports",
        "priority": "write depends_on",
        "stdout_stream": "what is written to standard output is collected there",
        "stderr_stream": "what is written to standard error is collected there",
    }

    def write(self, source: ExportSource) -> Exported:
        """Write one file."""
        exported = Exported()
        workloads = workloads_of(source)
        labels = unique_labels(workloads)
        services = {}
        for workload in workloads:
            label = labels[workload.name]
            services[label] = _service(workload, label)
            exported.carried[workload.name] = workload.carried(*_CARRIED)
            exported.lose(workload.name, f"the image {label}:latest has to be built first")
            if workload.has_number:
                exported.lose(workload.name, "containers are told no number")
            if workload.fleet == ONE:
                exported.lose(workload.name, "two may run for a while where a node is cut off")
        exported.files["compose.yaml"] = yaml_text({"services": services})
        return exported


def _service(workload: Workload, label: str) -> dict[str, Any]:
    spec = workload.spec
    service: dict[str, Any] = {
        "image": f"{label}:latest",
        "command": list(map(_literal, workload.words)),
        "stop_signal": workload.stop_signal,
        "stop_grace_period": f"{round(spec.graceful_timeout * 1000)}ms",
        "restart": _RESTARTS.get(spec.respawn, "on-failure"),
    }
    deploy: dict[str, Any] = {"replicas": workload.count}
    if workload.fleet == ALL:
        deploy = {"mode": "global"}
    if workload.labels:
        constraints = [f"node.labels.{key} == {value}" for key, value in workload.labels.items()]
        deploy["placement"] = {"constraints": constraints}
    service["deploy"] = deploy
    if spec.working_dir:
        service["working_dir"] = _literal(spec.working_dir)
    if spec.env:
        service["environment"] = {key: _literal(value) for key, value in spec.env.items()}
    if spec.env_file:
        service["env_file"] = [_literal(path.removeprefix("-")) for path in spec.env_file]
    if spec.uid is not None:
        service["user"] = str(spec.uid) if spec.gid is None else f"{spec.uid}:{spec.gid}"
    if spec.rlimits:
        service["ulimits"] = {
            key: -1 if limit is None else limit for key, limit in spec.rlimits.items()
        }
    return service


def _literal(text: str) -> str:
    return text.replace("$", "$$")
