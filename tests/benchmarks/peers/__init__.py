"""The peers, in the order of the table: the limit, those written in C, those in Python, ours."""

from tests.benchmarks.peers.bare import Bare
from tests.benchmarks.peers.circus import Circus, Ours, UnderKeeper, Unkept
from tests.benchmarks.peers.contract import Job, Missing, Peer, Place
from tests.benchmarks.peers.scanned import S6, Runit
from tests.benchmarks.peers.supervisor import Supervisor

PEERS: dict[str, type[Peer]] = {
    peer.name: peer for peer in (Bare, Runit, S6, Supervisor, Circus, Ours, UnderKeeper, Unkept)
}

__all__ = ["PEERS", "Circus", "Job", "Missing", "Peer", "Place"]
