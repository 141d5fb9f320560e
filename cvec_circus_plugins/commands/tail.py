"""The command tail."""

from __future__ import annotations

from base64 import b64decode, b64encode
from typing import TYPE_CHECKING, Any

from cvec_circus_core import api
from cvec_circus_core.api import REQUIRED, Command, Request, prop

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from cvec_circus_core.api import OutputView, Supervisor, WatcherPort

CHANNELS = ("stdout", "stderr")
MOST_LINES = 10_000

_MOST_BYTES = 512 * 1024


class TailRequest(Request):
    """What tail takes."""

    name: str = prop(REQUIRED, "watcher")
    process: int | None = prop(None, "one process by its number in the watcher (wid)")
    channel: str = prop("stdout", "which output", choices=CHANNELS)
    lines: int = prop(10, "how many lines of each process")


class TailLine(Request):
    """What tail takes on the command line."""

    name: str = prop(
        REQUIRED,
        "watcher, or one process of it by number",
        positional=True,
        each=True,
        pattern=True,
        metavar="NAME[:WID]",
    )
    lines: int = prop(10, "how many lines of each process", short="n")
    stderr: bool = prop(False, "standard error, not standard output")
    follow: bool = prop(False, "print what comes from now on, too, until interrupted", short="f")


class Tail(Command):
    """Show the last output of the processes of a watcher, and what comes.

    The daemon keeps the last 64 KB of each process whose output goes to a stream, also for a while
    after its end. Output without a stream (`stdout_stream`, `stderr_stream`) does not pass the
    daemon and can not be shown.

    Request::

        {"command": "tail",
         "properties": {"name": "web", "process": 1, "channel": "stderr", "lines": 20}}

    The reply has an entry per process. Output that is no UTF-8 text comes as base64, with
    `encoding`. `end` says how many bytes the process has written so far::

        {"status": "ok", "time": 1332265655.9, "pubsub_endpoint": "tcp://127.0.0.1:5556",
         "output": [{"process_id": 1, "process_pid": 4711, "ended": false, "end": 12,
                     "data": "hello\\nworld\\n"}]}

    What comes afterwards is published on the event endpoint, as long as somebody subscribes, under
    the topic `stream.NAME.PID.stdout` or `.stderr`, with `data` as above and `start`, the number of
    bytes that were written before.

    Command line::

        circusctl tail [--follow | -f] [--lines N | -n N] [--stderr] NAME[:WID]...
    """

    name = "tail"
    request = TailRequest
    command_line = TailLine
    acts = False
    prompt = True

    async def execute(self, supervisor: Supervisor, request: TailRequest) -> dict[str, Any]:
        """Look at it."""
        if request.channel not in CHANNELS:
            raise api.BadMessage("'channel' isn't one of stdout, stderr")
        if not 0 <= request.lines <= MOST_LINES:
            raise api.BadMessage(f"'lines' isn't a number from 0 to {MOST_LINES}")
        watcher = supervisor.watcher(request.name)
        found = list(watcher.recent(request.channel, request.lines, request.process))
        _check_process(watcher, request.process, found)
        room = _MOST_BYTES // max(1, len(found))
        return {
            "pubsub_endpoint": _events_of(supervisor),
            "output": [_told(one, room) for one in found],
        }

    def compose(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """Take the number of the process from behind the name."""
        name, colon, process = arguments["name"].rpartition(":")
        properties: dict[str, Any] = {"name": arguments["name"]}
        if colon and process.isdecimal():
            properties = {"name": name, "process": int(process)}
        if arguments.get("stderr"):
            properties["channel"] = "stderr"
        if "lines" in arguments:
            properties["lines"] = arguments["lines"]
        return properties

    def show(self, reply: Mapping[str, Any]) -> str:
        """Show the lines; several processes get headings."""
        found = reply["output"]
        return _shown(found, [heading(one) if len(found) > 1 else "" for one in found])

    def show_among(self, name: str, reply: Mapping[str, Any]) -> str:
        """Show the lines below headings that name the watcher."""
        found = reply["output"]
        return _shown(found, [heading(one, f"{name}, ") for one in found]) or f"==> {name} <=="


def _shown(found: Sequence[Mapping[str, Any]], headings: Sequence[str]) -> str:
    texts = [
        head + data_of(one).decode(errors="replace")
        for one, head in zip(found, headings, strict=True)
    ]
    return "".join(text if text.endswith("\n") else f"{text}\n" for text in texts if text)[:-1]


def _check_process(watcher: WatcherPort, wid: int | None, found: Sequence[OutputView]) -> None:
    """Refuse a process that is not there. One that has ended may have left something to show."""
    if wid is None or found or any(process.wid == wid for process in watcher.view().processes):
        return
    raise api.BadMessage(f"{watcher.name!r} has no process {wid}")


def _events_of(supervisor: Supervisor) -> str | None:
    try:
        return supervisor.spec.pubsub_endpoint
    except api.RequestError:
        return None  # Who may only see this watcher does not hear events.


def heading(one: Mapping[str, Any], watcher: str = "") -> str:
    """Return the line above the output of one process; ``watcher`` stands before it."""
    gone = ", ended" if one.get("ended") else ""
    return f"==> {watcher}process {one['process_id']} (pid {one['process_pid']}{gone}) <==\n"


def data_of(one: Mapping[str, Any]) -> bytes:
    """Return the bytes of an entry, or of a message of the topic."""
    text: str = one["data"]
    return b64decode(text) if one.get("encoding") == "base64" else text.encode()


def _told(one: OutputView, room: int) -> dict[str, Any]:
    data = one.data[-room:]
    told: dict[str, Any] = {
        "process_id": one.wid,
        "process_pid": one.pid,
        "ended": one.ended,
        "end": one.end,
    }
    try:
        told["data"] = data.decode()
    except UnicodeDecodeError:
        told |= {"data": b64encode(data).decode(), "encoding": "base64"}
    return told
