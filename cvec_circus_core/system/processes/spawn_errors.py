"""Why a process could not be started, in one sentence that names the thing.

The kernel answers with a number and no noun: "no such file" may be the program, the interpreter in
its first line, or the folder it should start in. Here the plan is looked at again, with the number
in hand, to find the noun.
"""

from __future__ import annotations

import errno
import os
import subprocess
from pathlib import Path

from cvec_circus_core.model.launch import LaunchPlan
from cvec_circus_core.model.text import LONGEST_ARGUMENT, escaped
from cvec_circus_core.system.accounts import Identity, user_name

_OUT_OF = {
    errno.EMFILE: "this daemon has too many open files (limit nofile)",
    errno.ENFILE: "the machine has too many open files",
    errno.ENOMEM: "the machine has no memory left",
}


_SHOWN = 40
"""Characters of what is too long."""


def explain(plan: LaunchPlan, who: Identity | None, error: Exception) -> str:
    """Return the sentence."""
    program = plan.executable or plan.argv[0]
    return f"can not start {program!r}: {_cause(program, plan, who, error)}"


def _cause(program: str, plan: LaunchPlan, who: Identity | None, error: Exception) -> str:
    if isinstance(error, subprocess.SubprocessError):
        return _refused_in_child(plan, who)
    if isinstance(error, ValueError):
        return _bad_text(plan) or str(error)
    number = getattr(error, "errno", None)
    if number in _OUT_OF:
        return _OUT_OF[number]
    if number == errno.E2BIG:
        return _too_long(plan)
    if number == errno.EAGAIN:
        return f"user {_name(who)!r} has too many processes (limit nproc)"
    if plan.working_dir is not None:
        problem = _folder_problem(Path(plan.working_dir), who)
        if problem:
            return problem
    if number in (errno.ENOENT, errno.ENOTDIR, errno.EACCES, errno.ENOEXEC, errno.EPERM):
        return _program_problem(program, plan, who, number)
    return _text(error)


def _refused_in_child(plan: LaunchPlan, who: Identity | None) -> str:
    requests = [f"{name}={'unlimited' if v is None else v}" for name, v in plan.rlimits.items()]
    if plan.oom_score_adj is not None:
        requests.append(f"oom_score_adj={plan.oom_score_adj}")
    if plan.capabilities is not None:
        requests.append(f"capabilities={plan.capabilities}")
    if plan.death_signal is not None:
        requests.append(f"death_signal={plan.death_signal}")
    if plan.no_new_privs:
        requests.append("no_new_privs")
    if who is not None:
        requests.append(f"user {_name(who)!r}")
    return f"the system refused {' or '.join(requests) or 'to prepare the process'}"


def _bad_text(plan: LaunchPlan) -> str | None:
    if any("\0" in word for word in plan.argv):
        return "an argument contains a null character"
    for key, value in plan.env.items():
        if "=" in key or "\0" in key or "\0" in value:
            return f"the environment variable {key!r} can not be passed on"
    return None


def _too_long(plan: LaunchPlan) -> str:
    texts = [*plan.argv, *(f"{name}={value}" for name, value in plan.env.items())]
    lengths = [len(os.fsencode(text)) for text in texts]
    longest = max(lengths)
    sentence = "its arguments and environment are too long"
    if longest <= LONGEST_ARGUMENT:
        return f"{sentence}: {sum(lengths)} bytes in all"
    name = escaped(texts[lengths.index(longest)], _SHOWN)
    return f"{sentence}: {name} has {longest} bytes, and the system takes {LONGEST_ARGUMENT} in one"


def _folder_problem(folder: Path, who: Identity | None) -> str | None:
    if not os.path.lexists(folder):
        return f"there is no folder {str(folder)!r} to start in"
    if not os.path.isdir(folder):
        return f"{str(folder)!r} is not a folder to start in"
    if who is None and not os.access(folder, os.X_OK):
        return f"user {_name(who)!r} may not enter the folder {str(folder)!r}"
    return None


def _program_problem(program: str, plan: LaunchPlan, who: Identity | None, number: int) -> str:
    path = _find(program, plan)
    if path is None:
        if "/" in program:
            return "there is no such program"
        return f"there is no such program in PATH ({plan.env.get('PATH', os.defpath)})"
    if os.path.isdir(path):
        return "it is a folder, not a program"
    if not os.access(path, os.X_OK):
        return "it is not executable"
    interpreter = _interpreter(path)
    if number == errno.ENOEXEC:
        return "it is neither a binary for this machine nor a script with a #! line"
    if interpreter is not None and not os.path.exists(interpreter):
        return f"its interpreter {interpreter!r} is not there"
    if number in (errno.EACCES, errno.EPERM):
        return f"user {_name(who)!r} may not run it"
    return "the system can not load it (a library or loader is missing)"


def _find(program: str, plan: LaunchPlan) -> Path | None:
    """Return the file that exec would try; one that may not be run only if there is no better."""
    start = Path(plan.working_dir or ".")
    if "/" in program:
        path = start / program
        return path if os.path.lexists(path) else None
    second_best = None
    for folder in os.get_exec_path(dict(plan.env)):
        path = start / folder / program
        if os.path.isfile(path):
            if os.access(path, os.X_OK):
                return path
            second_best = second_best or path
    return second_best


def _interpreter(path: Path) -> str | None:
    try:
        with path.open("rb") as file:
            line = file.readline(256)
    except OSError:
        return None
    words = line[2:].split() if line.startswith(b"#!") else []
    return os.fsdecode(words[0]) if words else None


def _name(who: Identity | None) -> str:
    return user_name(os.geteuid() if who is None else who.uid)


def _text(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        return error.strerror[0].lower() + error.strerror[1:]
    return str(error)
