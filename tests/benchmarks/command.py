"""The command line: choose peers, suites and sizes; run the rounds; show what came out."""

import argparse
import os
import platform
import resource
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from tests.benchmarks import chart, herd, numbers, report, wire
from tests.benchmarks.peers import PEERS, Circus, Missing, Peer, Place
from tests.benchmarks.peers.released import programs_of_checkout
from tests.benchmarks.results import Results
from tests.benchmarks.starts import TooSlow, Worker, build_worker
from tests.benchmarks.yard import PeerFailed, become_subreaper, sweep

DESCRIPTION = """\
Compare keepers of processes on the same work in one run: the limit (bare), runit, s6, supervisor,
the older circus, and ours. Suites: herd (one watcher with many processes), many (a much larger
one), kept (ours with and without kept output), control (requests to the daemon and circusctl),
watchers (status of many watchers), statistics (their cost, and whom they keep waiting)."""
EPILOG = """\
circus and supervisor are installed from PyPI into the cache folder; runit and s6 come with
"apt-get install runit s6". A peer that is not there is left out and the report says so.
A full run takes about half an hour; a first look: --quick. Keep the machine free of other work."""
SUITES = ("herd", "many", "kept", "control", "watchers", "statistics")


@dataclass(frozen=True, slots=True)
class Suite:
    """One piece of work, and the peers that can do it in reasonable time."""

    peers: tuple[str, ...]
    trial: herd.Trial
    run: Callable[[Peer, herd.Trial, herd.Say], dict[str, float]]


def parser() -> argparse.ArgumentParser:
    parse = argparse.ArgumentParser(
        prog="python -m tests.benchmarks",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    cache = Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser()
    add = parse.add_argument
    add("--peers", nargs="+", choices=PEERS, default=list(PEERS), metavar="PEER",
        help=f"which ones: {' '.join(PEERS)} (all)")  # fmt: skip
    add("--suites", nargs="+", choices=SUITES, default=SUITES, metavar="SUITE",
        help=f"what: {' '.join(SUITES)} (all)")  # fmt: skip
    add("--rounds", type=int, default=3, help="how often every peer takes its turn (3)")
    add("--processes", type=int, default=1000, help="size of the herd (1000)")
    add("--many", type=int, default=4000, help="size of the much larger one (4000)")
    add("--watchers", type=int, default=500, help="how many watchers status tells of (500)")
    add("--kills", type=int, default=30, help="single deaths in a round, 0 = none (30)")
    add("--idle", type=float, default=60.0, metavar="SECONDS",
        help="how long the first round watches an idle daemon, 0 = not (60)")  # fmt: skip
    add("--limit", type=float, default=120.0, metavar="SECONDS",
        help="patience with any single step (120)")  # fmt: skip
    add("--quick", action="store_true", help="one small round, to see that everything works")
    add("--ours", type=Path, metavar="FOLDER",
        help="where our circusd and circusctl are (installed from this checkout, as the peers "
        "from PyPI are)")  # fmt: skip
    add("--cache", type=Path, default=cache / "cvec-circus-benchmarks", metavar="FOLDER",
        help="where peers from PyPI are kept (%(default)s)")  # fmt: skip
    add("--json", type=Path, metavar="FILE", help="write all samples, medians and ratios")
    add("--chart", type=Path, metavar="FILE.svg", help="draw the medians")
    add("--from", dest="source", type=Path, metavar="FILE",
        help="measure nothing: show what --json wrote earlier")  # fmt: skip
    add("--check", action="store_true", help="exit with 1 when a target is missed")
    return parse


def main(words: Sequence[str] | None = None) -> int:
    options = parser().parse_args(words)
    if options.quick:
        options.rounds, options.kills, options.idle = 1, 5, min(options.idle, 5.0)
        options.processes, options.many, options.watchers = 100, 200, 50
    results = report.read_json(options.source) if options.source else Results()
    interrupted = False
    if not options.source:
        interrupted = _measure(options, results)
    print(report.table(results))
    if options.json:
        report.write_json(results, options.json)
    if options.chart:
        chart.write(results, options.chart)
    if interrupted:
        return 130
    missed = report.missed(results)
    return int(options.check and bool(missed or results.failures))


def _measure(options: argparse.Namespace, results: Results) -> bool:
    """Run all rounds; what is known so far stays in `results` when interrupted (then True)."""
    for signum in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(signum, signal.default_int_handler)
    become_subreaper()
    _let_python_keep_bytecode(options.cache)
    _raise_file_limit()
    try:
        with tempfile.TemporaryDirectory(prefix="bench-worker-") as folder:
            worker = build_worker(Path(folder))
            results.conditions = _conditions(options, worker)
            if os.getloadavg()[0] > 0.5:
                _say("the machine is busy with other work: expect noise")
            peers = _find_peers(options, results)
            _warm_up(worker, peers, results)
            for number in range(1, options.rounds + 1):
                _round(number, options, worker, peers, results)
    except KeyboardInterrupt:
        _say("interrupted: the table holds what was measured so far")
        return True
    finally:
        sweep()
    return False


def _find_peers(options: argparse.Namespace, results: Results) -> dict[str, Peer]:
    place = Place(options.cache, options.ours or options.cache)
    if {"ours", "unkept", "keeper"} & set(options.peers) and options.ours is None:
        try:
            place = Place(options.cache, programs_of_checkout(options.cache))
        except Missing as missing:
            _say(str(missing))
    peers: dict[str, Peer] = {}
    for name in PEERS:
        if name in options.peers:
            peer = PEERS[name](place)
            try:
                results.versions[name] = peer.find()
                peers[name] = peer
            except Missing as missing:
                results.missing[name] = str(missing)
                _say(f"{name} is left out: {missing}")
    return peers


def _warm_up(worker: Worker, peers: dict[str, Peer], results: Results) -> None:
    """Let every peer live for a moment: programs come from the disk and are compiled only once."""
    for name, peer in tuple(peers.items()):
        kept = len(results.failures)
        _turn(f"warm-up {name}", Suite((name,), herd.Trial(worker, 3), _only_start), peer, results)
        if len(results.failures) > kept:
            del peers[name]


def _only_start(peer: Peer, trial: herd.Trial, say: herd.Say) -> dict[str, float]:
    with herd.Herd(peer, trial, say) as one:
        one.start()
    return {}


def _round(
    number: int,
    options: argparse.Namespace,
    worker: Worker,
    peers: dict[str, Peer],
    results: Results,
) -> None:
    idle = options.idle if number == 1 else 0.0
    for name, suite in _suites(options, worker, idle):
        for peer_name in suite.peers:
            if peer_name in peers:
                _turn(f"round {number} {name} {peer_name}", suite, peers[peer_name], results)


def _turn(title: str, suite: Suite, peer: Peer, results: Results) -> None:
    def say(text: str) -> None:
        _say(f"{title}: {text}")

    begun = time.monotonic()
    try:
        values = suite.run(peer, suite.trial, say)
    except (PeerFailed, TooSlow, OSError) as problem:
        results.failures.append(f"{title}: {problem}")
        say(f"failed: {problem}")
        return
    results.add(peer.name, values)
    told = "".join(f", {key} {value:.4g}" for key, value in values.items())
    say(f"done in {time.monotonic() - begun:.1f} s{told}")


def _suites(
    options: argparse.Namespace, worker: Worker, idle: float
) -> Iterator[tuple[str, Suite]]:
    limit = options.limit
    speaking = ("circus", "ours")
    trial = herd.Trial(worker, options.processes, idle=idle, kills=options.kills, limit=limit)
    many = herd.Trial(worker, options.many, idle=idle, limit=limit)
    small = herd.Trial(worker, 10, limit=limit)
    watchers = herd.Trial(worker, 1, watchers=options.watchers, limit=limit)
    told = herd.Trial(worker, options.processes, idle=min(idle, 20.0), limit=limit, statistics=True)
    every = {
        "herd": Suite(tuple(name for name in PEERS if name != "unkept"), trial, herd.live),
        "many": Suite(("bare", *speaking, "keeper"), many, herd.live_many),
        "kept": Suite(("ours", "unkept"), trial, herd.live_kept),
        "control": Suite(speaking, small, _speaking(wire.control)),
        "watchers": Suite(speaking, watchers, _speaking(wire.status)),
        "statistics": Suite(speaking, told, _speaking(numbers.statistics_of)),
    }
    return ((name, every[name]) for name in SUITES if name in options.suites)


def _speaking(
    run: Callable[[Circus, herd.Trial, herd.Say], dict[str, float]],
) -> Callable[[Peer, herd.Trial, herd.Say], dict[str, float]]:
    """A suite for those peers only that speak the circus protocol."""
    return lambda peer, trial, say: run(cast("Circus", peer), trial, say)


def _conditions(options: argparse.Namespace, worker: Worker) -> dict[str, str | int | float]:
    return {
        "processes": options.processes,
        "many": options.many,
        "watchers": options.watchers,
        "rounds": options.rounds,
        "kills": options.kills,
        "idle seconds": options.idle,
        "worker": worker.kind,
        "cores": os.cpu_count() or 0,
        "system": f"{platform.system()} {platform.release()}",
        "load before": round(os.getloadavg()[0], 2),
    }


def _let_python_keep_bytecode(cache: Path) -> None:
    """Peers in Python are installed programs: nobody compiles those at every start."""
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    os.environ["PYTHONPYCACHEPREFIX"] = str(cache / "bytecode")


def _raise_file_limit() -> None:
    """The same generous limit for every peer: what it does about a low one is another question."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
