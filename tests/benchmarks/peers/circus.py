"""The older circus and ours: one dialect, one protocol, one adapter."""

import socket
from pathlib import Path

from tests.benchmarks.peers.contract import Job, Missing, Peer, worker_line
from tests.benchmarks.peers.released import PINS, programs_of


class Circus(Peer):
    """The older circus, as released on PyPI."""

    name = "circus"
    endpoint = ""
    daemon_options: tuple[str, ...] = ()
    watcher_options: tuple[str, ...] = ()
    stats_endpoint = ""

    def programs(self) -> Path:
        """The folder that holds circusd and circusctl."""
        return programs_of("circus", self.place.cache)

    def find(self) -> str:
        self.programs()
        return PINS["circus"].partition("==")[2]

    def command(self, job: Job) -> list[str]:
        control, events, numbers = _free_ports(3)
        self.endpoint = f"tcp://127.0.0.1:{control}"
        self.stats_endpoint = f"tcp://127.0.0.1:{numbers}"
        lines = [
            "[circus]",
            f"endpoint = {self.endpoint}",
            f"pubsub_endpoint = tcp://127.0.0.1:{events}",
            f"logoutput = {job.folder / 'circus.log'}",
            *self.daemon_options,
        ]
        if job.statistics:
            lines += ["statsd = True", f"stats_endpoint = {self.stats_endpoint}"]
        for number in range(job.watchers):
            lines += [
                f"[watcher:w{number}]",
                f"cmd = {worker_line(job)}",
                f"numprocesses = {job.processes}",
                *self.watcher_options,
            ]
        config = job.folder / "circus.ini"
        config.write_text("\n".join([*lines, ""]))
        return [str(self.programs() / "circusd"), str(config)]

    def control_words(self, *words: str) -> list[str]:
        """A whole circusctl command."""
        return [str(self.programs() / "circusctl"), "--endpoint", self.endpoint, *words]


class Ours(Circus):
    """The circus of this project, in one process."""

    name = "ours"
    daemon_options = ("keeper = False",)

    def programs(self) -> Path:
        return self.place.ours

    def find(self) -> str:
        program = self.programs() / "circusd"
        if not program.exists():
            raise Missing(f"{program} is not there: install the project, or say --ours FOLDER")
        return "this checkout"


class Unkept(Ours):
    """Ours, without the pipes that keep the last output of each process."""

    name = "unkept"
    watcher_options = ("keep_output = 0",)


class UnderKeeper(Ours):
    """Ours as keeper, brain and standby."""

    name = "keeper"
    daemon_options = ("keeper = True",)


def _free_ports(count: int) -> list[int]:
    held = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [each.getsockname()[1] for each in held]
    for each in held:
        each.close()
    return ports
