# ruff: noqa: E501 - these are the texts of a page
"""Twenty things of the first week: ``python -m tests.docs.first_week`` writes the page about them.

Ours are run, in a terminal of 80 columns, and the page has what was seen; `test_first_week.py` runs
them again. The answers of pm2 and supervisorctl were taken down from these programs, those of
systemctl from its manual.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import sys
import tempfile
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from tests.programs import wait_until

pexpect: Any = import_module("pexpect")  # it has no types
BIN = Path(sys.prefix) / "bin"
PAGE = Path(__file__).resolve().parents[2] / "docs" / "design" / "first-week.rst"
COLUMNS = 80

SERVER = 'import time\nprint("release {number}", flush=True)\ntime.sleep(1000)\n'
BROKEN = 'import sys\nsys.exit("no database at db:5432")\n'
SITE = """\
[circus]
endpoint = ipc://{folder}/control
pubsub_endpoint = ipc://{folder}/events

[watcher:web]
cmd = python3 serve.py
numprocesses = {count}

[watcher:report]
cmd = sh -c 'sleep 0.2; echo 42 rows'
autorestart = unexpected
"""
BAD = """\
[watcher:web]
cmd = python3 serve.py | tee log
numprocesses = many
graceful_timeout = soon

[watcher:mail]
cmd = sendmial
"""


@dataclass(frozen=True)
class Thing:
    """Something that a user does, what ours answers, and what the others do."""

    title: str
    commands: tuple[str, ...]
    pm2: str
    supervisor: str
    systemd: str
    before: str = ""
    """A release that is put in place first, or a number of processes in the file."""


THINGS = (
    Thing(
        "Check a file with mistakes in it",
        ("circusd --check bad.ini",),
        'has no such check. ``start`` runs the file: ``instances: "many"`` gave two processes, an unknown '
        "key was ignored, and the exit code was 0.",
        "stops at the first mistake, with exit code 2: ``Error: invalid literal for int() with base "
        "10: 'many' in section 'program:x'``. Unknown keys are ignored.",
        "``systemd-analyze verify UNIT`` tells all, as warnings.",
    ),
    Thing(
        "Start everything in the background",
        ("circusd --daemon site.ini",),
        "``pm2 start FILE`` starts its daemon and prints a table; it does not wait for anything.",
        "``supervisord`` says nothing, and nothing waits for the programs; its log is a file in the "
        "working directory unless the configuration names another.",
        "``systemctl start`` waits until the unit is started, as its ``Type=`` defines that.",
    ),
    Thing(
        "See what is running",
        ("circusctl status",),
        "a table with pid, uptime, restarts, processor time and memory; ``stopped`` also for a job that "
        "has ended normally.",
        "``RUNNING``, pid and uptime; neither memory nor restarts. A finished job is ``EXITED``. Exit "
        "code 3 where something is not running.",
        "``list-units`` has a line per unit; memory and pids are in ``status UNIT``.",
    ),
    Thing(
        "Read the output of a program",
        ("circusctl tail web",),
        "``pm2 logs NAME``, from files that it writes.",
        "``tail NAME``, and ``tail NAME stderr`` for the other half.",
        "``journalctl -u UNIT``.",
    ),
    Thing(
        "Start a program that does not work, and wait for it",
        ("circusctl add broken --start --waiting python3 broken.py; echo $?",),
        "prints a table in which it is ``online``; exit code 0.",
        "``ERROR (spawn error)`` where it ends within ``startsecs``; the reason is in its log.",
        'exit code 1 and ``See "systemctl status" and "journalctl -xe" for details``, with '
        "``Type=notify``; with ``Type=simple`` 0.",
    ),
    Thing(
        "Find out why",
        ("sleep 2; circusctl status broken; echo $?",),
        "``describe`` and ``logs``.",
        "``BACKOFF  Exited too quickly (process log may have details)``.",
        "``systemctl status`` has state, exit code and the last lines of the journal; exit code 3.",
    ),
    Thing(
        "Remove it",
        ("circusctl rm broken --waiting",),
        "``pm2 delete``.",
        "remove the section, then ``update``.",
        "``stop`` and ``disable``, remove the file, ``daemon-reload``.",
    ),
    Thing(
        "Mistype a name",
        ("circusctl restart wbe; echo $?",),
        "``Process or Namespace wbe not found``, exit code 1.",
        "``wbe: ERROR (no such process)``, exit code 1.",
        "``Failed to restart wbe.service: Unit wbe.service not found``, exit code 5.",
    ),
    Thing(
        "Mistype a command",
        ("circusctl statsu; echo $?",),
        "``Command not found`` and its usage, exit code 1.",
        "``*** Unknown syntax: statsu``, exit code 1.",
        "``Unknown command verb 'statsu', did you mean 'status'?``, exit code 1.",
    ),
    Thing(
        "Use the word of another tool",
        ("circusctl logs web; echo $?",),
        "knows ``list``, ``ls``, ``ps`` and ``status`` as one.",
        "``*** Unknown syntax: logs``.",
        "``Unknown command verb 'logs'``.",
    ),
    Thing(
        "Have one process more",
        ("circusctl incr web --waiting",),
        "``pm2 scale web +1``, which does not wait.",
        "change ``numprocs`` in the file, then ``update``, which restarts all processes of the program.",
        "start one more instance of a template unit.",
    ),
    Thing(
        "Kill a process by hand",
        ("kill -9 $(circusctl listpids web | cut -d, -f1); sleep 2; circusctl status web",),
        "restarted; the table counts it.",
        "restarted within a second; the log tells it.",
        "restarted with ``Restart=on-failure``; the default is ``no``.",
    ),
    Thing(
        "Restart, and wait until it is there",
        ("circusctl restart web --waiting",),
        "``restart`` returns when the processes are started.",
        "waits until they have lived for ``startsecs``.",
        "waits as ``start`` does.",
    ),
    Thing(
        "Roll out a release that is broken",
        ("circusctl reload web --waiting; echo $?", "circusctl status web"),
        "``✓`` and exit code 0 in fork mode; the old processes are gone. In cluster mode, with "
        "``wait_ready``, it waits for a message of the process.",
        "has none; ``restart`` stops the old processes first.",
        "``reload`` is whatever ``ExecReload=`` does; ``restart`` stops the old process first.",
        before="broken",
    ),
    Thing(
        "Roll out one that is good",
        ("circusctl reload web --waiting; echo $?", "circusctl tail web -n 1"),
        "as above.",
        "as above.",
        "as above.",
        before="2",
    ),
    Thing(
        "Look at what a changed file would do, and apply it",
        ("circusctl reloadconfig --plan", "circusctl reloadconfig --waiting"),
        "``startOrReload FILE``; there is no preview.",
        "``reread`` names the programs that have changed, ``update`` restarts them.",
        "``daemon-reload`` reads the files; what is running changes at the next restart.",
        before="count",
    ),
    Thing(
        "Stop one program, and start it again",
        ("circusctl stop web --waiting; circusctl status web; circusctl start web --waiting",),
        "``stop`` and ``start NAME``.",
        "the same; a second ``stop`` says ``ERROR (not running)``, with exit code 0.",
        "the same; a second ``stop`` is no error.",
    ),
    Thing(
        "Start a job again that has ended",
        ("circusctl start report --waiting; circusctl tail report; circusctl status report",),
        "``restart NAME``; it is shown as ``stopped``.",
        "``start NAME`` says ``ERROR (spawn error)`` unless ``startsecs`` is 0.",
        "``start`` of a ``Type=oneshot`` unit waits for its end.",
    ),
    Thing(
        "Send commands from a script",
        ("printf 'list\\nstart nope\\n' | circusctl; echo $?",),
        "one command per call.",
        "reads commands from standard input, too; the exit code was 0 although one had failed.",
        "one command per call.",
    ),
    Thing(
        "Shut everything down, and ask once more",
        ("circusctl quit --waiting", "circusctl status; echo $?"),
        "``pm2 kill``; the next ``status`` starts an empty daemon.",
        "``shutdown``; then ``unix:///tmp/s.sock no such file``, exit code 4.",
        "does not apply.",
    ),
)


class Site:
    """A folder with a configuration, and a terminal in it."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="week-"))
        self.endpoint = f"ipc://{self.folder}/control"
        self.write("1", 2)
        (self.folder / "broken.py").write_text(BROKEN)
        (self.folder / "bad.ini").write_text(BAD)
        self.environment = {
            "PATH": f"{BIN}:{os.environ['PATH']}",
            "CIRCUSCTL_ENDPOINT": self.endpoint,
            "XDG_STATE_HOME": str(self.folder / "state"),
            "HOME": str(self.folder),
            "TERM": "dumb",
            "NO_COLOR": "1",
            "LANG": "C.UTF-8",
        }

    def write(self, release: str, count: int) -> None:
        """Put a release and a configuration in place."""
        text = BROKEN if release == "broken" else SERVER.format(number=release)
        (self.folder / "serve.py").write_text(text)
        (self.folder / "site.ini").write_text(SITE.format(folder=self.folder, count=count))

    def prepare(self, thing: Thing) -> None:
        """Put in place what a thing is about."""
        if thing.before == "count":
            self.write("2", 4)
        elif thing.before:
            self.write(thing.before, 2)

    def run(self, command: str) -> str:
        """Return what a terminal shows of a command."""
        output = pexpect.run(
            f"bash -c {shlex.quote(command)}",
            timeout=60,
            cwd=str(self.folder),
            env=self.environment,
            encoding="utf-8",
            dimensions=(40, COLUMNS),
        )
        text = str(output).replace("\r", "").replace(str(self.folder), "/home/ann")
        return "\n".join(line.rstrip() for line in text.strip("\n").split("\n"))

    def settle(self) -> None:
        """Wait until the job is done and the server has spoken."""
        wait_until(lambda: self.run("circusctl status report | cat") == "completed")
        wait_until(lambda: '"ready": 2' in self.run("circusctl --json status web"))

    def close(self) -> None:
        """End what is left, and remove the folder."""
        self.run("circusctl quit --waiting --timeout 20")
        shutil.rmtree(self.folder, ignore_errors=True)


def seen() -> list[list[str]]:
    """Do all things, and return what a terminal showed of the commands of each."""
    site = Site()
    try:
        shown = []
        for thing in THINGS:
            site.prepare(thing)
            shown.append([site.run(command) for command in thing.commands])
            if thing.commands[0].startswith("circusd --daemon"):
                site.settle()
        return shown
    finally:
        site.close()


def fingerprint(text: str) -> str:
    """Return a text without what differs from run to run: numbers, and the width of columns."""
    return re.sub(r"\s+", " ", re.sub(r"\d+(\.\d+)?[smhKMG%]?\b(\+\d+)?", "N", text)).strip()


def page(shown: list[list[str]]) -> str:
    """Return the page."""
    head = "Twenty things of the first week"
    lines = [
        *(head, "=" * len(head), ""),
        "What a user does in the first week with a process manager, and what the tools answer. Our answers",
        "are what a terminal of 80 columns shows; a test runs them all again. For comparison: pm2 7.0.4 and",
        "supervisor 4.3.0, which were run for this page, and systemctl by its manual.",
        "",
        "The configuration is this one:",
        "",
        ".. code-block:: ini",
        "",
        *_indented(SITE.format(folder="/home/ann", count=2)),
        "",
    ]
    for number, (thing, outputs) in enumerate(zip(THINGS, shown, strict=True), 1):
        title = f"{number}. {thing.title}"
        lines += [title, "-" * len(title), "", ".. code-block:: console", ""]
        for command, output in zip(thing.commands, outputs, strict=True):
            lines += _indented(f"$ {command}\n{output}")
        lines += ["", f"* pm2: {thing.pm2}", f"* supervisorctl: {thing.supervisor}"]
        lines += [f"* systemctl: {thing.systemd}", ""]
    return "\n".join(lines)


def _indented(text: str) -> list[str]:
    return [f"   {line}".rstrip() for line in text.rstrip("\n").split("\n")]


if __name__ == "__main__":
    PAGE.write_text(page(seen()), encoding="utf-8")
