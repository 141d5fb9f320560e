"""From a watcher's spec to one process's launch plan: command line, variables, environment.

Variables (spec: config, variable expansion): ``$(circus.X)`` and ``((circus.X))`` in any case, and
``$WID`` as it is written here. A variable that is not known stays as it is. Values come from the
operator, so nothing is expanded twice: a value that looks like a variable is text. For the same
reason what is copied from the daemon's environment is never expanded.

The own environment is expanded entry by entry, each seeing those before it and the daemon's; the
command line sees the environment that the process gets.

Managed sockets (`socket_use.py`): a process gets the descriptors that its watcher uses and no
others, under the numbers of their owner or in a row from 3 on. The number that a variable becomes
is the one in the process: in a row it is known here, else the plan has a place for it that the
owner fills in.
"""

from __future__ import annotations

import os.path
import re
import shlex
from collections import ChainMap
from collections.abc import Callable, Iterable, Mapping

from cvec_circus_core.model.launch import Channel, LaunchPlan, place_of
from cvec_circus_core.model.options import declared_options
from cvec_circus_core.model.socket_use import SocketUse, socket_use
from cvec_circus_core.model.specs import WatcherSpec
from cvec_circus_core.model.text import expanded
from cvec_circus_core.model.values import Struct, field

_VARIABLE = re.compile(r"(?i:\$\(circus\.([\w.\-]+)\)|\(\(circus\.([\w.\-]+)\)\))|\$(WID)(?!\w)")
_SLOT = re.compile(r"(?i:\$\(circus\.wid\)|\(\(circus\.wid\)\))|\$WID(?!\w)")
_ANY_SLOT = 1
_FIRST_IN_A_ROW = 3
_OF_THE_DAEMON = (
    *("LISTEN_FDS", "LISTEN_FDNAMES", "LISTEN_PID"),
    *("NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"),
)
"""Variables that speak of the daemon's own descriptors, and of who has started it."""
_OF_THE_ACCOUNT = ("HOME", "USER", "LOGNAME", "SHELL")
_SHELL = "/bin/sh"


def _not_looked_for(virtualenv: str, version: str, python: str) -> str:
    return os.path.join(virtualenv, "lib", version or python, "site-packages")


class SpawnEnvironment(Struct, frozen=True):
    """What the daemon gives to its processes: environment, import path, managed sockets."""

    environ: Mapping[str, str] = field(default_factory=dict)
    import_path: tuple[str, ...] = ()
    sockets: tuple[str, ...] = ()
    """The names of those that there are."""
    working_dir: str | None = None
    python: str = "python3.11"
    """Name of the folder in a virtual environment's lib."""
    file_variables: Mapping[str, str] = field(default_factory=dict)
    """What the watcher's env_file has."""
    site_packages: Callable[[str, str, str], str] = field(default=_not_looked_for)
    """Returns the folder of packages of a virtual environment, given what was asked for, and the
    usual name. Raises ValueError with a sentence where it has none."""


class Launch(Struct, frozen=True):
    """A watcher's launch plan; made once per spec, used per spawn."""

    spec: WatcherSpec
    around: SpawnEnvironment
    values: Mapping[str, str]
    plan: LaunchPlan
    """The plan, its command line and environment those of one slot."""
    varies: bool
    """Whether something in it depends on the slot."""
    sockets: SocketUse = field(default_factory=SocketUse)

    def for_slot(self, wid: int | str) -> LaunchPlan:
        """Return the plan for the process of one slot."""
        if not self.varies:
            return self.plan
        argv, env = _for_slot(self.spec, self.around, self.values, wid)
        return self.plan._replace(argv=argv, env=env)


def prepare(spec: WatcherSpec, around: SpawnEnvironment) -> Launch:
    """Return how to start the processes of a watcher.

    Raises ValueError with a sentence for a command line that can not be used.
    """
    use = _sockets(spec, around)
    values = {**_values(spec, around), **_numbers(use)}
    argv, env = _for_slot(spec, around, values, _ANY_SLOT)
    plan = LaunchPlan(
        argv=argv,
        executable=spec.executable,
        env=env,
        working_dir=_working_dir(spec, around),
        uid=spec.uid,
        gid=spec.gid,
        umask=spec.umask,
        rlimits=spec.rlimits,
        no_new_privs=spec.no_new_privs,
        capabilities=spec.capabilities,
        oom_score_adj=spec.oom_score_adj,
        death_signal=spec.death_signal,
        stdin=Channel.NULL if spec.close_child_stdin else Channel.INHERIT,
        stdout=Channel.NULL if spec.close_child_stdout else Channel.INHERIT,
        stderr=_stderr(spec),
        stdin_socket=spec.stdin_socket,
        numbered_sockets=() if use.listed else use.numbered,
        listen_sockets=use.in_a_row,
        account_env=_account_env(spec, around),
        contain=spec.control_group,
    )
    texts = (spec.cmd, *spec.args, *spec.shell_args, *spec.env.values())
    return Launch(spec, around, values, plan, any(map(_SLOT.search, texts)), use)


def env_files(spec: WatcherSpec, around: SpawnEnvironment) -> tuple[tuple[str, bool], ...]:
    """Return the paths of a watcher's files of variables, and which of them may be missing."""
    if not spec.env_file:
        return ()
    values, folder = _values(spec, around), _working_dir(spec, around) or ""
    words = (expand(word.rstrip(","), values) for word in spec.env_file)
    return tuple(
        (os.path.join(folder, word.removeprefix("-")), word.startswith("-")) for word in words
    )


def paths_of(spec: WatcherSpec, around: SpawnEnvironment) -> tuple[str, ...]:
    """Return the paths that are looked at to start a process of a watcher, as far as is known."""
    values, folder = _values(spec, around), _working_dir(spec, around) or ""
    files = [path for path, _ in env_files(spec, around)]
    words = () if spec.shell else spec.command_words[:1]
    program = spec.executable or "".join(expand(word, values) for word in words)
    if not os.path.dirname(program):
        inherited = around.environ.get("PATH", "") if spec.copy_env else ""
        path = {**around.file_variables, **spec.env}.get("PATH", inherited)
        files += [os.path.join(name, program) for name in path.split(os.pathsep) if name]
    paths = (folder, spec.virtualenv, *files, os.path.join(folder, program))
    return tuple(path for path in paths if path)


def expand(text: str, values: Mapping[str, str]) -> str:
    """Replace the variables of a text; names are looked up in lower case. Raises `TooLong`."""
    if "(" not in text and "$" not in text:
        return text

    def value(match: re.Match[str]) -> str:
        name = (match[1] or match[2] or match[3]).lower()
        return values.get(name, match[0])

    return expanded(_VARIABLE, value, text)


def _for_slot(
    spec: WatcherSpec, around: SpawnEnvironment, values: Mapping[str, str], wid: int | str
) -> tuple[tuple[str, ...], dict[str, str]]:
    values_in_slot = ChainMap({"wid": str(wid)}, dict(values))
    own = {}
    for name, text in spec.env.items():
        own[name] = values_in_slot[f"env.{name.lower()}"] = expand(text, values_in_slot)
    env = _environment(spec, around, own)
    values_in_slot.update(_variables(env.items()))
    return _argv(spec, values_in_slot), env


def _environment(
    spec: WatcherSpec, around: SpawnEnvironment, own: Mapping[str, str]
) -> dict[str, str]:
    env = dict(around.environ) if spec.copy_env else {}
    for name in _OF_THE_DAEMON:
        env.pop(name, None)
    env.update(around.file_variables)
    env.update(own)
    if names := socket_use(spec, around.sockets).listed:
        env["LISTEN_FDS"] = str(len(names))
        env["LISTEN_FDNAMES"] = ":".join(name.replace(":", "_") for name in names)
    added: list[str] = []
    if spec.virtualenv:
        version = f"python{spec.virtualenv_py_ver}" if spec.virtualenv_py_ver else ""
        added.append(around.site_packages(spec.virtualenv, version, around.python))
        env["VIRTUAL_ENV"] = spec.virtualenv
        env["PATH"] = _joined(os.path.join(spec.virtualenv, "bin"), env.get("PATH"))
    if spec.copy_path:
        added += around.import_path
    if added:
        # What was written for this watcher is meant to win; what is inherited is not.
        is_written = "PYTHONPATH" in {**around.file_variables, **own}
        parts = (env.get("PYTHONPATH"), *added)
        env["PYTHONPATH"] = _joined(*(parts if is_written else (*parts[1:], parts[0])))
    return env


def _working_dir(spec: WatcherSpec, around: SpawnEnvironment) -> str | None:
    if around.working_dir is None or spec.working_dir is None:
        return spec.working_dir or around.working_dir
    return os.path.join(around.working_dir, spec.working_dir)


def _account_env(spec: WatcherSpec, around: SpawnEnvironment) -> tuple[str, ...]:
    """Return the variables that follow the user; what the operator has set stays."""
    if spec.uid is None:
        return ()
    given = {*spec.env, *around.file_variables}
    return tuple(name for name in _OF_THE_ACCOUNT if name not in given)


def _sockets(spec: WatcherSpec, around: SpawnEnvironment) -> SocketUse:
    use = socket_use(spec, around.sockets)
    for name in use.names:
        if name not in around.sockets:
            raise ValueError(f"the socket {name!r} is not there")
    return use


def _numbers(use: SocketUse) -> dict[str, str]:
    if not use.listed:
        return {f"sockets.{name}": place_of(name) for name in use.numbered}
    return {f"sockets.{name}": str(fd) for fd, name in enumerate(use.in_a_row, _FIRST_IN_A_ROW)}


def _stderr(spec: WatcherSpec) -> Channel:
    is_with_stdout = spec.redirect_stderr and spec.close_child_stdout
    return Channel.NULL if spec.close_child_stderr or is_with_stdout else Channel.INHERIT


def _joined(*parts: str | None) -> str:
    return os.pathsep.join(part for part in parts if part)


def _argv(spec: WatcherSpec, values: Mapping[str, str]) -> tuple[str, ...]:
    if not spec.cmd.strip() and not spec.args:
        raise ValueError(f"watcher {spec.name!r} has no cmd")
    if spec.shell:
        # Words are quoted after their variables are replaced: a quote in a value stays text.
        args = shlex.join(expand(word, values) for word in spec.args)
        line = f"{expand(spec.cmd, values)} {args}".strip()
        return (_SHELL, "-c", line, *(expand(word, values) for word in spec.shell_args))
    return tuple(expand(word, values) for word in _words(spec))


def _words(spec: WatcherSpec) -> tuple[str, ...]:
    try:
        return spec.command_words
    except ValueError as problem:
        raise ValueError(f"cmd of watcher {spec.name!r} can not be split: {problem}") from None


def _values(spec: WatcherSpec, around: SpawnEnvironment) -> dict[str, str]:
    values = {key.lower(): _as_text(value) for key, value in spec.extra.items()}
    for name, option in declared_options(WatcherSpec).items():
        values[name] = _as_text(option.kind.show(getattr(spec, name)))
    values["working_dir"] = _working_dir(spec, around) or ""
    values["name"] = spec.name
    values.update(_variables(around.environ.items()))
    values.update(_variables(around.file_variables.items()))
    return values


def _variables(environment: Iterable[tuple[str, str]]) -> dict[str, str]:
    return {f"env.{name.lower()}": text for name, text in environment}


def _as_text(value: object) -> str:
    match value:
        case None:
            return ""
        case list() | tuple():
            return shlex.join(str(word) for word in value)
        case _:
            return str(value)
