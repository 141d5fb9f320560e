"""Whether the reply to ``quit`` with ``waiting`` arrives: the last word before a connection ends.

    python -m tests.live.last_words                    # 200 daemons by turns on ipc and tcp
    python -m tests.live.last_words --rounds 20 --older PYTHON

In each round, every kind of client asks a daemon to quit and waits for its reply: the blocking one,
the asynchronous one, circusctl, and that of the older package where a Python that has it is named.
Prints how many replies each kind of client did not get, of how many.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager

from cvec_circus_core import AsyncCircusClient, CallError, CircusClient
from tests.live.daemon import LIMIT, Daemon

Ask = Callable[[Daemon], bool]
"""Asks for the end, and tells whether the reply came."""

OLDER_CLIENT = """
import sys
from circus.client import CircusClient
from circus.exc import CallError
for line in sys.stdin:
    client = CircusClient(endpoint=line.strip(), timeout=30)
    client.send_message("list")
    print("connected", flush=True)
    try:
        reply = client.send_message("quit", waiting=True)
        print(reply["status"], flush=True)
    except CallError as error:
        print(error, flush=True)
    client.stop()
"""


def blocking(daemon: Daemon) -> bool:
    """Ask with `CircusClient`."""
    with CircusClient(endpoint=daemon.endpoint, timeout=LIMIT) as client:
        try:
            return client.send_message("quit", waiting=True)["status"] == "ok"
        except CallError:
            return False


def asynchronous(daemon: Daemon) -> bool:
    """Ask with `AsyncCircusClient`."""

    async def quit_it() -> bool:
        async with AsyncCircusClient(endpoint=daemon.endpoint, timeout=LIMIT) as client:
            try:
                reply = await client.send_message("quit", waiting=True)
            except CallError:
                return False
            return bool(reply["status"] == "ok")

    return asyncio.run(quit_it())


def circusctl(daemon: Daemon) -> bool:
    """Ask with circusctl, whose answer has a time only where the daemon has given it."""
    done = daemon.control("--json", "quit", "--waiting")
    return done.returncode == 0 and "time" in json.loads(done.stdout)


@contextmanager
def older(python: str) -> Iterator[Ask]:
    """Give what asks with the client of the older package, in a process that goes on."""
    with subprocess.Popen(
        [python, "-c", OLDER_CLIENT], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        requests, replies = process.stdin, process.stdout

        def ask(daemon: Daemon) -> bool:
            requests.write(f"{daemon.endpoint}\n")
            requests.flush()
            assert replies.readline() == "connected\n"
            return replies.readline() == "ok\n"

        yield ask
        requests.close()


def lost_replies(clients: Mapping[str, Ask], rounds: int) -> Counter[str]:
    """Return how many replies each kind of client did not get; each has a daemon of its own."""
    lost = Counter(dict.fromkeys(clients, 0))
    for number in range(rounds):
        print(f"round {number + 1}: {lost.total()} lost", end="\r", file=sys.stderr)
        for name, ask in clients.items():
            daemon = Daemon("", tcp=number % 2 == 1)
            try:
                daemon.start()
                lost[name] += not ask(daemon)
                daemon.process.wait(LIMIT)
            finally:
                daemon.clean_up()
    return lost


OURS: Mapping[str, Ask] = {
    "CircusClient": blocking,
    "AsyncCircusClient": asynchronous,
    "circusctl": circusctl,
}


def main() -> int:
    """Count, print, and fail where one reply was lost."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=200)
    parser.add_argument("--only", choices=OURS, help="one of our clients")
    parser.add_argument("--older", metavar="PYTHON", help="one that has the older package")
    args = parser.parse_args()
    with ExitStack() as stack:
        clients = {name: OURS[name] for name in OURS if args.only in (None, name)}
        if args.older:
            clients["the older client"] = stack.enter_context(older(args.older))
        lost = lost_replies(clients, args.rounds)
    for name, count in lost.items():
        print(f"{name}: {count} lost of {args.rounds}")
    return 1 if lost.total() else 0


if __name__ == "__main__":
    sys.exit(main())
