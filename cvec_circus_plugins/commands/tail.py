"""The command tail."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cvec_circus_core import api
from cvec_circus_core.api import REQUIRED, Command, Request, prop
from cvec_circus_plugins.commands._output_entries import bytes_of, heading, output_entry

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from cvec_circus_core.api import OutputView, Piece, Session, Supervisor, WatcherPort

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
        views = list(watcher.recent(request.channel, request.lines, request.process))
        _check_process(watcher, request.process, views)
        limit = _MOST_BYTES // max(1, len(views))
        return {
            "pubsub_endpoint": _event_endpoint(supervisor),
            "output": [output_entry(view, limit) for view in views],
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
        entries = reply["output"]
        return _text(entries, [heading(entry) if len(entries) > 1 else "" for entry in entries])

    def show_among(self, name: str, reply: Mapping[str, Any]) -> str:
        """Show the lines below headings that name the watcher."""
        entries = reply["output"]
        headings = [heading(entry, f"{name}, ") for entry in entries]
        return _text(entries, headings) or f"==> {name} <=="

    def follow(
        self,
        session: Session,
        arguments: Mapping[str, Any],
        requests: Sequence[Mapping[str, Any]],
    ) -> Iterator[Piece] | None:
        """Print what comes, too, where that is wanted."""
        if not arguments.get("follow"):
            return None
        if len(requests) > 1:
            names = ", ".join(request["name"] for request in requests)
            raise ValueError(f"--follow is for one watcher, not for {names}")
        from cvec_circus_plugins.commands._follow_output import follow_output

        return follow_output(session, self.name, requests[0])


def _text(entries: Sequence[Mapping[str, Any]], headings: Sequence[str]) -> str:
    texts = [
        head + bytes_of(entry).decode(errors="replace")
        for entry, head in zip(entries, headings, strict=True)
    ]
    return "".join(text if text.endswith("\n") else f"{text}\n" for text in texts if text)[:-1]


def _check_process(watcher: WatcherPort, wid: int | None, views: Sequence[OutputView]) -> None:
    """Refuse a process that is not there. One that has ended may have left something to show."""
    if wid is None or views or any(process.wid == wid for process in watcher.view().processes):
        return
    raise api.BadMessage(f"{watcher.name!r} has no process {wid}")


def _event_endpoint(supervisor: Supervisor) -> str | None:
    try:
        return supervisor.spec.pubsub_endpoint
    except api.RequestError:
        return None  # Who may only see this watcher does not hear events.
