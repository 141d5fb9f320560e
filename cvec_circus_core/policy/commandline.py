"""From a watcher's spec to one process's launch plan: command line, variables, environment.

Variables (spec: config, variable expansion): ``$(circus.X)`` and ``((circus.X))`` in any case, and
``$WID``. A variable that is not known stays as it is. Values come from the operator, so nothing is
expanded twice: a value that looks like a variable is text.
"""

from __future__ import annotations

import os.path
import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from cvec_circus_core.model.launch import Channel, LaunchPlan
from cvec_circus_core.model.options import declared_options
from cvec_circus_core.model.specs import WatcherSpec

_VARIABLE = re.compile(
    r"\$\(circus\.([\w.\-]+)\)|\(\(circus\.([\w.\-]+)\)\)|\$(WID)(?!\w)", re.IGNORECASE
)
_SLOT = re.compile(r"\$\(circus\.wid\)|\(\(circus\.wid\)\)|\$WID(?!\w)", re.IGNORECASE)
_SHELL = "/bin/sh"


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What the daemon gives to its processes: environment, import path, descriptors of sockets."""

    environ: Mapping[str, str] = field(default_factory=dict)
    import_path: tuple[str, ...] = ()
    sockets: Mapping[str, int] = field(default_factory=dict)
    working_dir: str | None = None
    python: str = "python3.11"
    """Name of the folder in a virtual environment's lib."""


@dataclass(frozen=True, slots=True)
class Launch:
    """A watcher's launch plan, expanded but for the slot; made once per spec, used per spawn."""

    plan: LaunchPlan
    varies: bool
    """Whether something in it depends on the slot."""

    def for_slot(self, wid: int) -> LaunchPlan:
        """Return the plan for the process of one slot."""
        if not self.varies:
            return self.plan
        values = {"wid": str(wid)}
        return replace(
            self.plan,
            argv=tuple(expand(word, values) for word in self.plan.argv),
            env={name: expand(text, values) for name, text in self.plan.env.items()},
        )


def prepare(spec: WatcherSpec, around: Surroundings) -> Launch:
    """Return how to start the processes of a watcher.

    Raises ValueError with a sentence for a command line that can not be used.
    """
    env = environment(spec, around)
    values = _values(spec, around, env)
    env.update({name: expand(text, values) for name, text in spec.env.items()})
    argv = _argv(spec, values)
    plan = LaunchPlan(
        argv=argv,
        executable=spec.executable,
        env=env,
        working_dir=spec.working_dir or around.working_dir,
        uid=spec.uid,
        gid=spec.gid,
        umask=spec.umask,
        rlimits=spec.rlimits,
        stdin=Channel.NULL if spec.close_child_stdin else Channel.INHERIT,
        stdout=Channel.NULL if spec.close_child_stdout else Channel.INHERIT,
        stderr=Channel.NULL if spec.close_child_stderr else Channel.INHERIT,
    )
    own = (env[name] for name in spec.env)
    return Launch(plan, any(_SLOT.search(text) for text in (*argv, *own)))


def environment(spec: WatcherSpec, around: Surroundings) -> dict[str, str]:
    """Return the environment of a watcher's processes, variables of the slot not yet replaced."""
    env = dict(around.environ) if spec.copy_env else {}
    env.update(spec.env)
    if spec.copy_path:
        env["PYTHONPATH"] = _joined(*around.import_path, env.get("PYTHONPATH"))
    if spec.virtualenv:
        version = f"python{spec.virtualenv_py_ver}" if spec.virtualenv_py_ver else around.python
        packages = os.path.join(spec.virtualenv, "lib", version, "site-packages")
        env["VIRTUAL_ENV"] = spec.virtualenv
        env["PATH"] = _joined(os.path.join(spec.virtualenv, "bin"), env.get("PATH"))
        env["PYTHONPATH"] = _joined(packages, env.get("PYTHONPATH"))
    return env


def expand(text: str, values: Mapping[str, str]) -> str:
    """Replace the variables of a text; names are looked up in lower case."""
    if "(" not in text and "$" not in text:
        return text

    def value(match: re.Match[str]) -> str:
        name = (match[1] or match[2] or match[3]).lower()
        return values.get(name, match[0])

    return _VARIABLE.sub(value, text)


def _joined(*parts: str | None) -> str:
    return os.pathsep.join(part for part in parts if part)


def _argv(spec: WatcherSpec, values: Mapping[str, str]) -> tuple[str, ...]:
    if spec.shell:
        line = expand(" ".join((spec.cmd, shlex.join(spec.args))).strip(), values)
        return (_SHELL, "-c", line, *(expand(word, values) for word in spec.shell_args))
    words = tuple(expand(word, values) for word in spec.command_words)
    if not words:
        raise ValueError(f"watcher {spec.name!r} has no cmd")
    return words


def _values(spec: WatcherSpec, around: Surroundings, env: Mapping[str, str]) -> dict[str, str]:
    values = {name: _as_text(getattr(spec, name)) for name in declared_options(WatcherSpec)}
    values.update({key.lower(): _as_text(value) for key, value in spec.extra.items()})
    values.update({f"sockets.{name}": str(fd) for name, fd in around.sockets.items()})
    values.update({f"env.{name.lower()}": text for name, text in around.environ.items()})
    values.update({f"env.{name.lower()}": text for name, text in env.items()})
    values["name"] = spec.name
    return values


def _as_text(value: Any) -> str:
    if value is None:
        return ""
    return shlex.join(value) if isinstance(value, tuple) else str(value)
