"""What clients notice of a release, good or broken: ``python -m tests.rollout.releases --help``.

A real server serves a managed socket, with no option set that says how to tell when it is ready;
four clients, in a process of their own, call without a pause. Then a release comes that takes two
seconds to import, and is reloaded: nobody may wait longer than in a quiet while, and 0.1 s. Broken
releases follow: the old processes stay, circusctl ends with 3 and says why, and no request fails.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path

from tests.live.daemon import LIMIT, Daemon, free_port, until
from tests.rollout.calling import Seen
from tests.rollout.clients import Clients
from tests.rollout.servers import BROKEN, SERVERS, WRONG_PORT, Server, write_release, write_scripts

ALLOWED = 0.1
"""Seconds that a request may take longer than the slowest one of a quiet while."""
READY_TIMEOUT = 12
QUIET = 2.0


@dataclass(frozen=True)
class Site:
    """A daemon whose server answers."""

    daemon: Daemon
    folder: Path
    server: Server
    port: int
    other_port: int

    def configuration(self, command: str) -> str:
        """Return the sections of the socket and its watcher."""
        words = command.replace("FD", "$(circus.sockets.web)").replace("PORT", str(self.other_port))
        return (
            f"[socket:web]\nhost = 127.0.0.1\nport = {self.port}\n"
            f"[watcher:web]\ncmd = {words}\nworking_dir = {self.folder}\nuse_sockets = True\n"
            f"ready_timeout = {READY_TIMEOUT}\ncopy_env = True\n"
            "env = PYTHONDONTWRITEBYTECODE=1\n"
            f"stdout_stream.filename = {self.folder}/out\n"
            f"stderr_stream.filename = {self.folder}/out\n"
        )

    def release(self, kind: str) -> tuple[int, str]:
        """Bring a release; return the exit code of circusctl and what it has said."""
        if kind == WRONG_PORT:
            self.daemon.write(self.configuration(self.server.on_port))
            outcome = self.daemon.control("reloadconfig", "--waiting")
            self.daemon.write(self.configuration(self.server.on_descriptor))
        else:
            write_release(self.folder, self.server, kind)
            outcome = self.daemon.control("reload", "web", "--waiting")
        return outcome.returncode, outcome.stdout + outcome.stderr


@dataclass(frozen=True)
class Outcome:
    """What came of one release."""

    server: str
    kind: str
    code: int
    text: str
    took: float
    quiet: float
    seen: Seen
    are_others: bool
    """Whether other processes serve now than before."""

    @property
    def is_good(self) -> bool:
        """Whether it is as it should be."""
        is_unnoticed = not self.seen.failures and self.more <= ALLOWED
        if self.kind == "good":
            return is_unnoticed and self.code == 0 and self.are_others
        return is_unnoticed and self.code == 3 and not self.are_others

    @property
    def more(self) -> float:
        """Seconds by which the slowest request took longer than in the quiet while."""
        return self.seen.slowest - self.quiet

    def row(self) -> str:
        """Return a line of the table."""
        return (
            f"{self.server:18}{self.kind:26}{self.code:3}{self.took:7.1f}{self.seen.calls:8}"
            f"{len(self.seen.failures):8}{self.quiet * 1000:10.1f}{self.more * 1000:10.1f}  "
            f"{'yes' if self.is_good else 'NO'}"
        )


HEAD = (
    f"{'server':18}{'release':26}{'rc':>3}{'s':>7}{'calls':>8}{'failed':>8}"
    f"{'quiet ms':>10}{'more ms':>10}  good"
)


@contextmanager
def site(server: Server) -> Iterator[Site]:
    """Have a daemon whose server answers."""
    folder = Path(tempfile.mkdtemp(prefix="circus-site-"))
    write_scripts(folder)
    write_release(folder, server, "good")
    daemon = Daemon("")
    place = Site(daemon, folder, server, free_port(), free_port())
    daemon.write(place.configuration(server.on_descriptor))
    try:
        daemon.start()
        until(lambda: daemon.status("web")["ready"] == 1)
        yield place
        daemon.account()
    finally:
        daemon.clean_up()
        for path in (daemon.folder, folder):
            shutil.rmtree(path, ignore_errors=True)


def try_releases(name: str, kinds: Sequence[str]) -> Iterator[Outcome]:
    """Bring some releases to one server, one after the other."""
    with site(SERVERS[name]) as place, Clients(place.port, http=True) as clients:
        for kind in kinds:
            clients.take()
            time.sleep(QUIET)
            quiet = clients.take().slowest
            before = place.daemon.pids("web")
            clients.total = Seen()
            begun = time.monotonic()
            code, text = place.release(kind)
            took = time.monotonic() - begun
            until(lambda: len(place.daemon.pids("web")) == 1, 2 * LIMIT)
            clients.until_all_called()
            seen = deepcopy(clients.total)
            after = place.daemon.pids("web")
            yield Outcome(name, kind, code, text, took, quiet, seen, before != after)


def main() -> int:
    """Bring all releases to all servers and print a table."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.rollout.releases",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--servers", nargs="+", choices=SERVERS, default=list(SERVERS))
    parser.add_argument("--kinds", nargs="+", default=["good", *BROKEN])
    options = parser.parse_args()
    print(HEAD, flush=True)
    outcomes: list[Outcome] = []
    for name in options.servers:
        for outcome in try_releases(name, options.kinds):
            print(outcome.row(), flush=True)
            if not outcome.is_good or outcome.code:
                print(f"    {outcome.text.strip()}", flush=True)
            for failure in sorted(set(outcome.seen.failures)):
                print(f"    {outcome.seen.failures.count(failure)} x {failure}", flush=True)
            outcomes.append(outcome)
    print(summary(outcomes))
    return 0 if all(outcome.is_good for outcome in outcomes) else 1


def summary(outcomes: Sequence[Outcome]) -> str:
    """Return the figures of all releases together."""
    calls = sum(outcome.seen.calls for outcome in outcomes)
    failed = sum(len(outcome.seen.failures) for outcome in outcomes)
    late = sum(outcome.more > ALLOWED for outcome in outcomes)
    return (
        f"{len(outcomes)} releases, {sum(outcome.is_good for outcome in outcomes)} as they should "
        f"be; {calls} calls, {failed} failed; {late} releases with one that took over "
        f"{ALLOWED * 1000:.0f} ms more than in a quiet while, at most "
        f"{max(outcome.more for outcome in outcomes) * 1000:.1f} ms more"
    )


if __name__ == "__main__":
    sys.exit(main())
