"""One command for all hosts of a fleet: ``circusctl --fleet status``.

The daemon that circusctl reaches tells the hosts and their addresses. Each is asked in a thread of
its own, and what it answers is shown with its name; a host that does not answer costs no other its
place. A command that rolls goes from host to host and stops where something fails.
"""

from __future__ import annotations

import queue
import sys
import threading
from typing import TYPE_CHECKING, Any, NamedTuple

from cvec_circus_cli import exit_codes
from cvec_circus_cli.arguments import UsageError
from cvec_circus_cli.fleet_hosts import FleetHost, fleet_hosts
from cvec_circus_cli.output import (
    complain,
    failure,
    is_error,
    is_unknown_watcher,
    json_text,
    print_reply,
    refusal,
    shown,
)
from cvec_circus_cli.requests import Connection, StillRunning
from cvec_circus_core import api
from cvec_circus_core.api import Command, Table

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from cvec_circus_cli.fleet_hosts import Expand
    from cvec_circus_cli.settings import Settings


class Answer(NamedTuple):
    """What one host has answered: replies by the names that were asked for."""

    host: str
    replies: Mapping[str, Mapping[str, Any]]
    is_several: bool = False


def run_over_fleet(
    settings: Settings,
    connection: Connection,
    command: Command,
    arguments: Mapping[str, Any],
    expand: Expand,
) -> int:
    """Ask all hosts, print what they answer, and return the worst exit code.

    Raises CallError, UsageError.
    """
    if not command.over_hosts:
        raise UsageError(f"{command.name} takes no --fleet")
    reply = connection.call(*api.HOSTS_REQUEST)
    if is_error(reply):
        return print_reply(settings, command, reply)
    hosts = list(fleet_hosts(settings, reply))
    if type(command).follow is not Command.follow:
        from cvec_circus_cli.fleet_follow import follow_hosts

        code = follow_hosts(settings, command, arguments, hosts, expand)
        if code is not None:
            return code
    batch = settings.hosts_at_once if command.over_hosts == "rolling" else len(hosts)
    return _ask(settings, command, hosts, expand, max(1, batch))


def _ask(
    settings: Settings,
    command: Command,
    hosts: Sequence[FleetHost],
    expand: Expand,
    batch: int,
) -> int:
    answers: list[Answer] = []
    pending = list(hosts)
    while pending:
        now, pending = pending[:batch], pending[batch:]
        batch_answers = list(_in_parallel(now, lambda host: _answer_of(host, command, expand)))
        answers += batch_answers
        if pending and any(_code(command, answer) for answer in _counted(batch_answers)):
            names = ", ".join(host.name for host in pending)
            complain(f"circusctl: {command.name} stops here; not done at: {names}")
            break
    answers.sort(key=lambda answer: answer.host)
    return _print(settings, command, _counted(answers))


def _answer_of(
    host: FleetHost,
    command: Command,
    expand: Expand,
) -> Answer:
    if host.settings is None:
        return Answer(host.name, {"": failure(exit_codes.NO_ANSWER, host.trouble)})
    connection = Connection(host.settings)
    replies: dict[str, Mapping[str, Any]] = {}
    is_several, name = False, ""
    try:
        messages, is_several = expand(connection)
        for message in messages:
            name = str(message.get("name", ""))
            if command.over_hosts == "rolling":
                message = {**message, "waiting": True}
            elif not host.settings.is_json and sys.stdout.isatty():
                message = {**message, **command.for_tables}
            replies[name] = connection.call(command.name, message)
    except StillRunning as error:
        replies[name] = failure(exit_codes.STILL_RUNNING, error)
    except (api.CallError, UsageError) as error:
        replies[name] = failure(exit_codes.NO_ANSWER, error)
    finally:
        connection.close()
    return Answer(host.name, replies, is_several)


def _in_parallel(hosts: Sequence[FleetHost], do: Callable[[FleetHost], Answer]) -> Iterator[Answer]:
    results: queue.SimpleQueue[Answer] = queue.SimpleQueue()

    def run(host: FleetHost) -> None:
        try:
            answer = do(host)
        except Exception as error:
            answer = Answer(host.name, {"": failure(exit_codes.NO_ANSWER, error)})
        results.put(answer)

    for host in hosts:
        threading.Thread(target=run, args=(host,), daemon=True).start()
    for _ in hosts:
        yield results.get()


def _counted(answers: Sequence[Answer]) -> list[Answer]:
    """Return answers without those that only say that a host does not run what others run."""
    known = {
        name
        for answer in answers
        for name, reply in answer.replies.items()
        if not is_unknown_watcher(reply, name)
    }
    return [
        answer._replace(
            replies={
                name: reply
                for name, reply in answer.replies.items()
                if name not in known or not is_unknown_watcher(reply, name)
            }
        )
        for answer in answers
    ]


def _code(command: Command, answer: Answer) -> int:
    codes = [
        int(reply.get("exit_code", exit_codes.REFUSED))
        if is_error(reply)
        else exit_codes.REFUSED * command.is_failure(reply)
        for reply in answer.replies.values()
    ]
    return max(codes, default=exit_codes.OK)


def _print(settings: Settings, command: Command, answers: Sequence[Answer]) -> int:
    code = max((_code(command, answer) for answer in answers), default=exit_codes.OK)
    if settings.is_json:
        print(json_text(settings, _document(answers, code)))
        return code
    tables: dict[tuple[str, ...], Table] = {}
    for answer in answers:
        for name, reply in answer.replies.items():
            if is_error(reply):
                reason = refusal(reply, name, is_labelled=bool(name))
                complain(f"error: {answer.host}: {reason}")
                continue
            if sys.stdout.isatty() and _add_tables(tables, answer.host, command.tables(reply)):
                continue
            text = command.show_among(name, reply) if answer.is_several else command.show(reply)
            for line in text.rstrip("\n").split("\n"):
                if line:
                    print(shown(settings, f"{answer.host}: {line}"))
    if tables:
        from cvec_circus_cli.tables import tables_text

        print(
            tables_text(
                list(tables.values()),
                colours=not settings.colourless,
                show=lambda text: shown(settings, text),
            )
        )
    return code


def _document(answers: Iterable[Answer], code: int) -> dict[str, Any]:
    return {
        "status": "error" if code else "ok",
        "hosts": {
            answer.host: dict(answer.replies)
            if answer.is_several
            else next(iter(answer.replies.values()), {"status": "ok"})
            for answer in answers
        },
    }


def _add_tables(merged: dict[tuple[str, ...], Table], host: str, tables: Sequence[Table]) -> bool:
    """Put tables of one host below those of others with the same titles."""
    for table in tables:
        titles = ("HOST", *table.titles)
        before = merged.get(titles, Table(titles, (), table.numbers))
        rows = [*before.rows, *((host, *row) for row in table.rows)]
        notes = {len(before.rows) + number: note for number, note in table.notes.items()}
        merged[titles] = Table(titles, rows, table.numbers, {**before.notes, **notes})
    return bool(tables)
