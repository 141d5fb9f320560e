"""The command tail."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from cvec_circus_core import api
from cvec_circus_core.api import REQUIRED, Command, Request, prop
from cvec_circus_plugins.commands._output_entries import (
    LinePrinter,
    bytes_of,
    heading,
    merged_entries,
    output_entry,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from cvec_circus_core.api import OutputView, Piece, Session, Supervisor, WatcherPort

CHANNELS = ("stdout", "stderr")
ALL = "all"
MOST_LINES = 10_000

_MOST_BYTES = 512 * 1024
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}


class TailRequest(Request):
    """What tail takes."""

    name: str = prop(REQUIRED, "watcher")
    process: int | None = prop(None, "one process by its number in the watcher (wid)")
    full_name: str | None = prop(
        None, "watcher to take instead, if there is one so called", hidden=True
    )
    channel: str = prop("stdout", "which output; all only where merged", choices=(*CHANNELS, ALL))
    lines: int = prop(10, "how many lines of each process")
    merged: bool = prop(False, "one list of all lines, in the order in which they came")
    since: float | None = prop(None, "seconds; only lines that are not older (merged)")
    grep: str = prop("", "only lines with this text (merged)")


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
    stderr: bool = prop(False, "standard error alone")
    stdout: bool = prop(False, "standard output alone")
    since: str = prop("", "only what came within this time: 30, 90s, 10m, 2h, 1d", metavar="TIME")
    grep: str = prop("", "only lines with this text", metavar="TEXT")
    follow: bool = prop(False, "print what comes from now on, too, until interrupted", short="f")


class Tail(Command):
    """Show the last output of the processes of a watcher, and what comes.

    The daemon keeps the last 64 kB of each watcher (`keep_output`), also for a while
    after the process has ended. Standard output and error are shown in the order in which they
    came; where several processes are shown, `WATCHER:NUMBER` stands before each line, and `err`
    where it is standard error.

    Request::

        {"command": "tail",
         "properties": {"name": "web", "process": 1, "channel": "stderr", "lines": 20}}

    The reply has an entry per process. Output that is no UTF-8 text comes as base64, with
    `encoding`. `end` says how many bytes the process has written so far::

        {"status": "ok", "time": 1332265655.9, "pubsub_endpoint": "tcp://127.0.0.1:5556",
         "output": [{"process_id": 1, "process_pid": 4711, "ended": false, "end": 12,
                     "data": "hello\\nworld\\n"}]}

    With `merged`, it has a list of entries in the order in which their lines came, and how far each
    process has written::

        {"status": "ok", "time": 1332265655.9, "pubsub_endpoint": "tcp://127.0.0.1:5556",
         "processes": 1,
         "merged": [{"watcher": "web", "process_id": 1, "process_pid": 4711, "ended": false,
                     "channel": "stderr", "time": 1332265650.1, "data": "hello\\n"}],
         "ends": [{"process_pid": 4711, "channel": "stderr", "end": 6}], "not_shown": []}

    `not_shown` says why a channel is missing, where its output does not pass the daemon.

    What comes afterwards is published on the event endpoint, as long as somebody subscribes, under
    the topic `stream.NAME.PID.stdout` or `.stderr`, with `data` as above and `start`, the number of
    bytes that were written before.

    Command line::

        circusctl tail [--follow | -f] [--lines N | -n N] [--stdout | --stderr]
                       [--since TIME] [--grep TEXT] NAME[:WID]...
    """

    name = "tail"
    request = TailRequest
    command_line = TailLine
    other_names: ClassVar[Mapping[str, str]] = {
        "logs": "tail NAME",
        "log": "tail NAME",
        "journal": "tail NAME",
    }
    acts = False
    over_hosts = "at once"
    prompt = True

    async def execute(self, supervisor: Supervisor, request: TailRequest) -> dict[str, Any]:
        """Look at it."""
        if request.channel not in CHANNELS and not (request.merged and request.channel == ALL):
            raise api.BadMessage("'channel' isn't one of stdout, stderr")
        if not 0 <= request.lines <= MOST_LINES:
            raise api.BadMessage(f"'lines' isn't a number from 0 to {MOST_LINES}")
        watcher = _meant(supervisor, request)
        meant = {"watcher": watcher.name, "process": request.process} if request.full_name else {}
        if request.merged:
            endpoint = _event_endpoint(supervisor)
            return {"pubsub_endpoint": endpoint, **meant, **_merged(watcher, request)}
        views = list(watcher.recent(request.channel, request.lines, request.process))
        _check_process(watcher, request.process, views)
        limit = _MOST_BYTES // max(1, len(views))
        return {
            "pubsub_endpoint": _event_endpoint(supervisor),
            **meant,
            "output": [output_entry(view, limit) for view in views],
        }

    def compose(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """Take the number of the process from behind the name."""
        name, colon, process = arguments["name"].rpartition(":")
        properties: dict[str, Any] = {"name": arguments["name"]}
        if colon and process.isdecimal():
            properties = {"name": name, "process": int(process), "full_name": arguments["name"]}
        wanted = [channel for channel in CHANNELS if arguments.get(channel)]
        properties |= {"channel": wanted[0] if len(wanted) == 1 else ALL, "merged": True}
        for key in ("lines", "grep"):
            if key in arguments:
                properties[key] = arguments[key]
        if arguments.get("since"):
            properties["since"] = _seconds(arguments["since"])
        return properties

    def show(self, reply: Mapping[str, Any]) -> str:
        """Show the lines; several processes are told apart."""
        if "merged" in reply:
            return _merged_text(reply, prefixes=reply["processes"] > 1)
        entries = reply["output"]
        return _text(entries, [heading(entry) if len(entries) > 1 else "" for entry in entries])

    def show_among(self, name: str, reply: Mapping[str, Any]) -> str:
        """Show the lines below headings that name the watcher."""
        if "merged" in reply:
            text = _merged_text(reply, prefixes=True)
            return text or f"{name} has written nothing"
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
        from cvec_circus_plugins.commands._follow_output import follow_output

        return follow_output(session, self.name, requests)


def _merged(watcher: WatcherPort, request: TailRequest) -> dict[str, Any]:
    channels = CHANNELS if request.channel == ALL else (request.channel,)
    since = None if request.since is None else api.unix_time() - request.since
    query = api.OutputQuery(
        channels, request.lines, request.process, since=since, text=request.grep
    )
    lines = watcher.recent_lines(query)
    views: list[OutputView] = []
    not_shown: list[str] = []
    for channel in channels:
        try:
            views += watcher.recent(channel, 0, request.process)
        except api.BadMessage as error:
            not_shown.append(error.reason)  # the other channel has something to show
    _check_process(watcher, request.process, views)
    slots = {process.wid for process in watcher.view().processes} | {view.wid for view in views}
    return {
        "processes": 1 if request.process is not None else len(slots),
        "merged": merged_entries(watcher.name, lines, _MOST_BYTES),
        "not_shown": not_shown,
        "ends": [
            {"process_pid": view.pid, "channel": view.channel, "end": view.end} for view in views
        ],
    }


def _merged_text(reply: Mapping[str, Any], *, prefixes: bool) -> str:
    printer = LinePrinter(prefixes=prefixes)
    data = b"".join(printer.text_of(entry) for entry in reply["merged"])
    lines = data.decode(errors="replace").removesuffix("\n")
    notes = [f"({sentence})" for sentence in reply.get("not_shown", ())]
    return "\n".join(filter(None, (lines, *notes)))


def _seconds(text: str) -> float:
    number, unit = text[:-1], text[-1:].lower()
    if unit not in _UNITS:
        number, unit = text, "s"
    try:
        seconds = float(number) * _UNITS[unit]
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds < float("inf"):
        raise ValueError(f"--since {text} is no time such as 30, 90s, 10m, 2h or 1d")
    return seconds


def _text(entries: Sequence[Mapping[str, Any]], headings: Sequence[str]) -> str:
    texts = [
        head + bytes_of(entry).decode(errors="replace")
        for entry, head in zip(entries, headings, strict=True)
    ]
    return "".join(text if text.endswith("\n") else f"{text}\n" for text in texts if text)[:-1]


def _meant(supervisor: Supervisor, request: TailRequest) -> WatcherPort:
    """Return the watcher: web:1 may be the name of one, and no process of it is meant then."""
    if request.full_name is not None:
        try:
            watcher = supervisor.watcher(request.full_name)
        except api.UnknownWatcher:
            pass
        else:
            request.process = None
            return watcher
    return supervisor.watcher(request.name)


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
