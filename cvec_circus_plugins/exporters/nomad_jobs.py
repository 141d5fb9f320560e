"""Job files of Nomad: one for each watcher."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import ClassVar

from cvec_circus_core.api import Exported, ExportSource
from cvec_circus_plugins.exporters._workload import ALL, ONE, Workload, unique_labels, workloads_of

_CARRIED = (*("graceful_timeout", "respawn", "singleton", "stop_signal", "uid", "working_dir"),)


class NomadExporter:
    """Writes job files."""

    name = "nomad"
    summary = "job files of Nomad"
    hints: ClassVar[Mapping[str, str]] = {
        "gid": "it is the user's own there",
        "rlimits": "see resources, and the client's own limits",
        "ready": "write a check in a service block",
        "watchdog": "write a check in a service block, and check_restart",
        "rollout_surge": "see update.max_parallel",
        "rollout_unavailable": "see update.max_parallel",
        "where": "write constraint blocks",
        "anti_affinity": "write constraint blocks",
        "max_per_host": "write a constraint with distinct_hosts or a spread block",
        "env_file": "write a template block with env = true",
        "sockets": "let the program bind its port, and write a network block",
        "use_sockets": "let the program bind its port, and write a network block",
        "stdout_stream": "what is written to standard output is kept there (logs)",
        "stderr_stream": "what is written to standard error is kept there (logs)",
        "priority": "see lifecycle; a job's priority means something else",
    }

    def write(self, source: ExportSource) -> Exported:
        """Write a file for each watcher."""
        exported = Exported()
        workloads = workloads_of(source)
        labels = unique_labels(workloads)
        for workload in workloads:
            label = labels[workload.name]
            exported.files[f"{label}.nomad.hcl"] = "\n".join(_job(workload, label)) + "\n"
            carried = workload.carried(*_CARRIED)
            exported.carried[workload.name] = carried
            if workload.has_number:
                exported.lose(workload.name, "its processes have NOMAD_ALLOC_INDEX, from 0 on")
            if workload.fleet == ONE:
                exported.lose(workload.name, "two may run for a while where a client is cut off")
        return exported


def _job(workload: Workload, label: str) -> Iterator[str]:
    spec = workload.spec
    kind = "system" if workload.fleet == ALL else "service"
    kind = kind if spec.respawn is True else "batch"
    yield f"job {_text(label)} {{"
    yield '  datacenters = ["*"]'
    yield f"  type = {_text(kind)}"
    for key, value in (workload.labels or {}).items():
        yield "  constraint {"
        yield f'    attribute = "${{meta.{key}}}"'
        yield f"    value = {_text(value)}"
        yield "  }"
    yield f"  group {_text(label)} {{"
    if kind != "system":
        yield f"    count = {workload.count}"
    if spec.respawn is False:
        yield "    restart {"
        yield "      attempts = 0"
        yield '      mode = "fail"'
        yield "    }"
    yield from (f"    {line}" for line in _task(workload, label))
    yield "  }"
    yield "}"


def _task(workload: Workload, label: str) -> Iterator[str]:
    spec = workload.spec
    words = workload.words
    if spec.working_dir:
        words = ["/bin/sh", "-c", 'cd "$0" && exec "$@"', spec.working_dir, *words]
    yield f"task {_text(label)} {{"
    yield '  driver = "exec"'
    if spec.uid is not None:
        yield f"  user = {_text(str(spec.uid))}"
    yield f"  kill_signal = {_text(workload.stop_signal)}"
    yield f'  kill_timeout = "{round(spec.graceful_timeout * 1000)}ms"'
    yield "  config {"
    yield f"    command = {_text(words[0])}"
    yield f"    args = {_list(words[1:])}"
    yield "  }"
    if spec.env:
        yield "  env = {"
        for key, value in spec.env.items():
            yield f"    {_text(key)} = {_text(value)}"
        yield "  }"
    yield "}"


def _list(words: Sequence[str]) -> str:
    return f"[{', '.join(map(_text, words))}]"


def _text(text: str) -> str:
    # As in JSON, and what begins an expression of theirs stands for itself.
    return json.dumps(text).replace("${", "$${").replace("%{", "%%{")
