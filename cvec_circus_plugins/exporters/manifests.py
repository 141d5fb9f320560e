"""Manifests of Kubernetes: a Deployment, DaemonSet, StatefulSet or Job for each watcher."""

from __future__ import annotations

from collections.abc import Mapping
from math import ceil
from typing import Any, ClassVar

from cvec_circus_core.api import Exported, ExportSource
from cvec_circus_plugins.exporters._workload import ALL, ONE, Workload, unique_labels, workloads_of
from cvec_circus_plugins.exporters._yaml_text import yaml_text

_CARRIED = ("working_dir", "graceful_timeout", "respawn", "singleton")


class KubernetesExporter:
    """Writes manifests."""

    name = "kubernetes"
    summary = "manifests of Kubernetes"
    hints: ClassVar[Mapping[str, str]] = {
        "stop_signal": "it is the image's there (STOPSIGNAL)",
        "rlimits": "limits are those of the nodes' container runtime there",
        "ready": "write a readinessProbe",
        "watchdog": "write a livenessProbe",
        "rollout_surge": "see strategy.rollingUpdate.maxSurge",
        "rollout_unavailable": "see strategy.rollingUpdate.maxUnavailable",
        "anti_affinity": "write an affinity.podAntiAffinity",
        "max_per_host": "write topologySpreadConstraints",
        "where": "write an affinity.nodeAffinity",
        "sockets": "let the program bind its port, and write a Service",
        "use_sockets": "let the program bind its port, and write a Service",
        "env_file": "make a ConfigMap or Secret of it, and use envFrom",
        "stdout_stream": "what is written to standard output is collected there",
        "stderr_stream": "what is written to standard error is collected there",
        "priority": "nothing waits for others there; see initContainers",
    }

    def write(self, source: ExportSource) -> Exported:
        """Write a document for each watcher into one file."""
        exported = Exported()
        workloads = workloads_of(source)
        labels = unique_labels(workloads)
        documents = []
        for workload in workloads:
            label = labels[workload.name]
            documents.append(yaml_text(_manifest(workload, label)))
            ids = [key for key in ("uid", "gid") if isinstance(getattr(workload.spec, key), int)]
            exported.carried[workload.name] = workload.carried(*_CARRIED, *ids)
            exported.lose(workload.name, f"the image {label}:latest has to be built first")
            if workload.has_number:
                exported.lose(workload.name, "pods are told no number that begins with 1")
        exported.files["kubernetes.yaml"] = "---\n".join(documents)
        return exported


def _manifest(workload: Workload, label: str) -> dict[str, Any]:
    spec = workload.spec
    labels = {"app": label}
    template = {"metadata": {"labels": labels}, "spec": _pod(workload, label)}
    head = {"metadata": {"name": label, "labels": labels}}
    if spec.respawn is not True:
        job = {"completions": workload.count, "parallelism": workload.count, "template": template}
        template["spec"]["restartPolicy"] = "OnFailure" if spec.respawn else "Never"
        return {"apiVersion": "batch/v1", "kind": "Job", **head, "spec": job}
    content: dict[str, Any] = {"selector": {"matchLabels": labels}, "template": template}
    match workload.fleet:
        case mode if mode == ALL:
            kind = "DaemonSet"
        case mode if mode == ONE or spec.singleton:
            # The only kind that starts no second pod before the first one has ended for certain.
            kind, content = "StatefulSet", {"serviceName": label, "replicas": 1, **content}
        case _:
            kind, content = "Deployment", {"replicas": workload.count, **content}
    return {"apiVersion": "apps/v1", "kind": kind, **head, "spec": content}


def _pod(workload: Workload, label: str) -> dict[str, Any]:
    spec = workload.spec
    container: dict[str, Any] = {
        "name": label,
        "image": f"{label}:latest",
        "command": [word.replace("$(", "$$(") for word in workload.words],
    }
    if spec.working_dir:
        container["workingDir"] = spec.working_dir
    if spec.env:
        container["env"] = [
            {"name": key, "value": value.replace("$(", "$$(")} for key, value in spec.env.items()
        ]
    pod: dict[str, Any] = {
        "terminationGracePeriodSeconds": ceil(spec.graceful_timeout),
        "containers": [container],
    }
    if workload.labels:
        pod["nodeSelector"] = dict(workload.labels)
    identity = {"runAsUser": spec.uid, "runAsGroup": spec.gid}
    if context := {key: value for key, value in identity.items() if isinstance(value, int)}:
        pod["securityContext"] = context
    return pod
