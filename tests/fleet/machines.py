"""Three machines of a fleet, each with an etcd and a daemon, and what can befall them."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from tests.fleet.fleets import FleetHost
from tests.fleet.network import Network, network
from tests.fleet.observer import Life, Observer
from tests.live.daemon import LIMIT, free_port, until
from tests.soak.soak import clock_environment

NAMES = ("a", "b", "c")
SLOTS = ("first", "second", "third")
QUOTA = 4_000_000
_TOLD = 40
"""Lines of each log that are shown where something never came to be."""
_ONCE = Path(__file__).with_name("once.py")
_PAUSED = ("circusd", "circus_plugin", "cvec_circus_core.keeper")
"""What the commands of a daemon's own processes have in them."""


@dataclass
class Machine:
    """One host: its daemon, and its etcd."""

    host: FleetHost
    etcd_words: list[str]
    log: Path
    clock: Path
    environment: Mapping[str, str]
    etcd: subprocess.Popen[bytes] | None = None

    def start_etcd(self) -> None:
        """Start its etcd."""
        with self.log.open("ab") as log:
            self.etcd = subprocess.Popen(self.etcd_words, stdout=log, stderr=subprocess.STDOUT)

    def start_daemon(self) -> None:
        """Start its daemon."""
        self.host.daemon.start(**self.environment)

    def kill_etcd(self) -> None:
        """Lose its etcd."""
        if self.etcd is not None:
            self.etcd.kill()
            self.etcd.wait(LIMIT)

    def kill(self) -> None:
        """Lose it as a whole."""
        self.kill_etcd()
        self.host.kill()

    def start(self) -> None:
        """Bring it back."""
        self.start_etcd()
        self.start_daemon()

    def pause(self) -> list[psutil.Process]:
        """Let its daemon and its agent stand still."""
        pids = [
            pid
            for pid, command in self.host.daemon.alive().items()
            if any(word in command for word in _PAUSED)
        ]
        paused = [psutil.Process(pid) for pid in pids]
        for process in paused:
            process.suspend()
        return paused


class Machines:
    """Three machines whose fleet runs some slots, each held by exactly one process."""

    def __init__(self, folder: Path, net: Network, observer: Observer) -> None:
        self.folder = folder
        self.network = net
        self.observer = observer
        ports = {name: (free_port(), free_port()) for name in NAMES}
        self._clients = {
            name: f"http://{net.address(name)}:{client}" for name, (client, _) in ports.items()
        }
        peers = {name: f"http://{net.address(name)}:{peer}" for name, (_, peer) in ports.items()}
        self.machines = {name: self._machine(name, peers) for name in NAMES}

    def _machine(self, name: str, peers: Mapping[str, str]) -> Machine:
        net = self.network
        endpoints = " ".join(
            [self._clients[name], *(url for other, url in self._clients.items() if other != name)]
        )
        host = FleetHost(name, endpoints, self.folder)
        host.daemon.program = (*net.inside(name), *host.daemon.program)
        cluster = ",".join(f"{other}={url}" for other, url in peers.items())
        words = [
            *(*net.inside(name), "etcd", "--name", name, "--unsafe-no-fsync"),
            *("--data-dir", str(self.folder / f"etcd-{name}")),
            *("--listen-client-urls", self._clients[name]),
            *("--advertise-client-urls", self._clients[name]),
            *("--listen-peer-urls", peers[name], "--initial-advertise-peer-urls", peers[name]),
            *("--initial-cluster", cluster, "--quota-backend-bytes", str(QUOTA)),
            *("--heartbeat-interval", "50", "--election-timeout", "500"),
        ]
        clocks = self.folder / f"clock-{name}"
        clocks.mkdir()
        environment = {"FLEET_HOST": name, **clock_environment(clocks)}
        log = self.folder / f"etcd-{name}.log"
        return Machine(host, words, log, clocks / "clock", environment)

    def config(self, release: int = 1, program: str = sys.executable) -> str:
        """Return what the fleet runs."""
        once = "".join(
            f"[watcher:{slot}]\nfleet = one\nenv.RELEASE = {release}\n"
            f"cmd = {program} -S {_ONCE} {slot} {self.observer.address} "
            f"{self.folder / f'{slot}.lock'}\n"
            for slot in SLOTS
        )
        return f"{once}[watcher:web]\nfleet = spread\nnumprocesses = 3\ncmd = sleep 1000\n"

    def apply(self, text: str, by: str = NAMES[0]) -> None:
        """Apply a configuration."""
        file = self.folder / "fleet.conf"
        file.write_text(text)
        self.machines[by].host.fleet("apply", str(file))

    def start(self) -> None:
        """Start everything, and wait until it runs."""
        for machine in self.machines.values():
            machine.start_etcd()
        until(lambda: self.etcd_leader() != "", 2 * LIMIT)
        for machine in self.machines.values():
            machine.start_daemon()
        until(lambda: len(self.hosts()) == len(NAMES), 2 * LIMIT)
        self.apply(self.config())
        self.settle()

    def settle(self) -> None:
        """Wait until all hosts are back, and everything runs."""
        until(self.is_settled, 4 * LIMIT)

    def is_settled(self) -> bool:
        """Tell whether all hosts are there and everything runs, as the fleet knows it."""
        if set(self.observer.holders()) != set(SLOTS) or len(self.hosts()) != len(NAMES):
            return False
        watchers = self.machines[NAMES[0]].host.daemon.call("fleet", act="status")["watchers"]
        return all(row["ready"] == row["wanted"] for row in watchers.values())

    def hosts(self) -> dict[str, Any]:
        """Return the hosts that the fleet knows; none where nobody tells."""
        reply = self.machines[NAMES[0]].host.daemon.call("fleet", act="hosts")
        hosts: dict[str, Any] = reply.get("hosts", {})
        return hosts

    def etcd_leader(self) -> str:
        """Return the machine whose etcd leads; an empty text where none does."""
        for name, url in self._clients.items():
            status = self._ask(name, f"{url}/v3/maintenance/status")
            if status.get("leader", "0") == status.get("header", {}).get("member_id") != "0":
                return name
        return ""

    def gateway(self, name: str, path: str, **body: object) -> dict[str, Any]:
        """Ask the etcd of a machine; the reply is empty where it can not be had."""
        return self._ask(name, f"{self._clients[name]}/v3/{path}", body)

    def slots_of(self, host: str) -> dict[str, Life]:
        """Return the slots that a host holds."""
        return {slot: life for slot, life in self.observer.holders().items() if life.host == host}

    def account(self) -> str:
        """Tell what is so, for who has waited in vain."""
        text = [f"holders: {self.observer.holders()}", f"leader of etcd: {self.etcd_leader()}"]
        text += [f"hosts: {self.hosts()}"]
        text += [str(self.machines[NAMES[0]].host.daemon.call("fleet", act="status"))]
        for name, machine in self.machines.items():
            lines = machine.host.daemon.text().split("\n")
            text += [f"== {name}", *[line for line in lines if "DEBUG" not in line][-_TOLD:]]
            text += machine.log.read_text().split("\n")[-_TOLD:]
        return "\n".join(text)

    def close(self) -> None:
        """Leave nothing behind."""
        for machine in self.machines.values():
            for process in (machine.etcd, machine.host.daemon._process):
                if process is not None and process.poll() is None:
                    process.send_signal(signal.SIGCONT)
            machine.host.daemon.clean_up()
            machine.kill_etcd()

    def _ask(self, name: str, url: str, body: Mapping[str, object] | None = None) -> dict[str, Any]:
        # The request is made inside the namespace of the machine.
        words = [*self.network.inside(name), sys.executable, "-c", _REQUEST, url]
        text = json.dumps(body or {})
        done = subprocess.run(words, input=text, capture_output=True, text=True, timeout=LIMIT)
        try:
            content = json.loads(done.stdout)
        except ValueError:
            return {}
        return content if isinstance(content, dict) else {}


_REQUEST = """
import sys, urllib.error, urllib.request
try:
    reply = urllib.request.urlopen(sys.argv[1], sys.stdin.buffer.read(), timeout=5)
except urllib.error.HTTPError as error:
    reply = error
except OSError:
    sys.exit()
sys.stdout.buffer.write(reply.read())
"""


@contextmanager
def machines(folder: Path) -> Iterator[Machines]:
    """Start three machines whose fleet runs."""
    folder.mkdir(parents=True, exist_ok=True)
    net = network(NAMES)
    # Unix sockets have short names.
    observer = Observer(folder / "observer")
    fleet = Machines(folder, net, observer)
    try:
        fleet.start()
        yield fleet
    except AssertionError as error:
        error.add_note(fleet.account())
        raise
    finally:
        fleet.close()
        observer.close()
        net.close()
