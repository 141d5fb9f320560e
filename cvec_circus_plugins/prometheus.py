"""Prometheus: what happens and what is used, for a Prometheus server to fetch.

Events are counted as they come. Everything else is asked of the daemon at the moment of a scrape,
in the thread that answers it, so that numbers are never older than the scrape and nothing is
measured that nobody fetches. A daemon that does not answer is told as ``circus_up 0``.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from cvec_circus_core.api import (
    BOOLEAN,
    INTEGER,
    TEXT,
    CallError,
    CircusPlugin,
    ConfigError,
    __version__,
    between,
    escaped,
    option,
    or_none,
)
from cvec_circus_plugins.statsd import bytes_of_size, number_or_zero

try:
    from prometheus_client import CollectorRegistry, Counter, start_http_server
    from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
    from prometheus_client.registry import Collector
except ModuleNotFoundError as error:
    if error.name != "prometheus_client":
        raise
    raise ModuleNotFoundError(
        "the package prometheus_client is missing, pip install 'cvec-circus[prometheus]' brings it",
        name="prometheus_client",
    ) from None

log = logging.getLogger("circus.plugins.prometheus")

LONGEST_LABEL = 100
"""Characters of a label."""
MOST_SERIES = 10_000
"""Pairs of a watcher and an event that are counted by themselves: who may announce events may
name as many as they like, and each would stay for ever."""
OTHERS = ("", "others")

_OF_WATCHERS = {
    "running": ("processes", "Processes that are running."),
    "wanted": ("processes_wanted", "Processes that are to run."),
    "ready": ("processes_ready", "Running processes that are ready."),
}
_OF_PROCESSES: Mapping[str, tuple[str, Callable[[Mapping[str, Any]], float | None]]] = {
    "cpu_percent": ("Share of a processor since the last look.", lambda info: _number(info, "cpu")),
    "memory_percent": ("Share of the machine's memory.", lambda info: _number(info, "mem")),
    "resident_memory_bytes": ("Resident memory.", lambda info: _resident(info)),
    "virtual_memory_bytes": (
        "Virtual memory.",
        lambda info: _number(info, "vms", bytes_of_size(info.get("mem_info2"))),
    ),
    "start_time_seconds": ("Start, as Unix time.", lambda info: _number(info, "create_time")),
    "threads": ("Threads.", lambda info: _number(info, "threads")),
}


@dataclass(frozen=True, kw_only=True)
class PrometheusSettings:
    """Where it is fetched, and how much of it there is."""

    address: str = option("127.0.0.1", TEXT, "address to listen at; by default this machine's own")
    port: int = option(9555, between(INTEGER, 1, 65535), "port to listen at")
    certfile: str | None = option(None, or_none(TEXT), "file of a certificate, to serve by HTTPS")
    keyfile: str | None = option(None, or_none(TEXT), "file of the certificate's key")
    processes: bool = option(
        True, BOOLEAN, "tell of every process; without, only of watchers and of the daemon"
    )

    def __post_init__(self) -> None:
        """Look whether they fit together. Raises `ConfigError`."""
        if (self.certfile is None) is not (self.keyfile is None):
            raise ConfigError("certfile and keyfile go together")


class Prometheus(CircusPlugin):
    """Serves what happens and what is used to a Prometheus server, at ``/metrics``.

    It needs the package ``prometheus_client``: ``pip install 'cvec-circus[prometheus]'``.

    ``circus_up`` is 1 where the daemon has answered. Of each watcher: ``circus_watcher_active``,
    ``circus_watcher_processes``, ``…_processes_wanted``, ``…_processes_ready`` and
    ``circus_watcher_restarts_total``, processes replaced because they had died. Of each process, by
    ``watcher`` and ``wid``: ``circus_process_cpu_percent``, ``…_cpu_seconds_total``,
    ``…_memory_percent``, ``…_resident_memory_bytes``, ``…_virtual_memory_bytes``, ``…_threads``,
    ``…_start_time_seconds``, and ``circus_process_extra`` for numbers that packages bring. Of the
    daemon: ``circus_daemon_cpu_seconds_total``, ``circus_daemon_resident_memory_bytes`` and
    ``circus_info``. ``circus_events_total`` counts events by ``watcher`` and ``event`` since the
    plugin has begun.
    """

    name = "prometheus"
    timeout = 10.0
    settings_type: ClassVar[type[PrometheusSettings]] = PrometheusSettings
    settings: PrometheusSettings

    def handle_init(self) -> None:
        """Begin to serve. Raises `ConfigError` with a sentence where that is not possible."""
        registry = CollectorRegistry()
        self._counted: set[tuple[str, str]] = set()
        self._events = Counter(
            "circus_events", "Events by watcher and kind.", ("watcher", "event"), registry=registry
        )
        registry.register(_ScrapeCollector(self.call, self.settings.processes))
        chosen = self.settings
        try:
            self._server, self._thread = start_http_server(
                chosen.port,
                chosen.address,
                registry,
                certfile=chosen.certfile,
                keyfile=chosen.keyfile,
            )
        except OSError as error:
            where = f"{chosen.address}:{chosen.port}"
            why = (error.strerror or str(error)).lower()
            raise ConfigError(f"prometheus can not be served at {where}: {why}") from None
        log.info("prometheus: served at %s:%d/metrics", chosen.address, chosen.port)

    def handle_recv(self, data: tuple[str, str]) -> None:
        """Count one event, by the name that the watcher really has."""
        watcher, event, message = self.split_data(data)
        name = str(self.load_message(message).get("watcher") or watcher)
        labels = escaped(name, LONGEST_LABEL), escaped(event, LONGEST_LABEL)
        if labels not in self._counted:
            if len(self._counted) >= MOST_SERIES:
                labels = OTHERS
            self._counted.add(labels)
        self._events.labels(*labels).inc()

    def handle_stop(self) -> None:
        """Serve no more."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _ScrapeCollector(Collector):
    """Asks the daemon each time that somebody fetches."""

    def __init__(self, call: Callable[..., dict[str, Any]], with_processes: bool) -> None:
        self._call = call
        self._with_processes = with_processes

    def describe(self) -> Iterator[Metric]:
        """Tell nothing in advance: the daemon is not asked before somebody fetches."""
        return iter(())

    def collect(self) -> Iterator[Metric]:
        """Yield everything, or only that the daemon does not answer."""
        metrics: list[Metric] = []
        try:
            status = self._ask("status", long=True)
            own = self._ask("dstats")["info"]
            metrics = [*_of_watchers(status), *_of_daemon(own)]
            if self._with_processes:
                metrics += _of_processes(self._ask("stats")["infos"])
        except CallError as error:
            log.warning("prometheus: the daemon does not tell how it fares: %s", error)
        yield GaugeMetricFamily("circus_up", "Whether the daemon has answered.", bool(metrics))
        yield from metrics

    def _ask(self, command: str, **props: object) -> dict[str, Any]:
        reply = self._call(command, **props)
        if reply.get("status") == "error":
            raise CallError(str(reply.get("reason")))
        return reply


def _of_watchers(reply: Mapping[str, Any]) -> Iterator[Metric]:
    active = GaugeMetricFamily(
        "circus_watcher_active", "Whether the watcher is active.", labels=("watcher",)
    )
    for name, state in reply["statuses"].items():
        active.add_metric((name,), state == "active")
    yield active
    details: Mapping[str, Any] = reply.get("details") or {}  # an older daemon has none
    for key, (name, about) in _OF_WATCHERS.items():
        gauge = GaugeMetricFamily(f"circus_watcher_{name}", about, labels=("watcher",))
        for watcher, detail in details.items():
            gauge.add_metric((watcher,), number_or_zero(detail.get(key)))
        yield gauge
    restarts = CounterMetricFamily(
        "circus_watcher_restarts", "Processes replaced because they had died.", labels=("watcher",)
    )
    for watcher, detail in details.items():
        restarts.add_metric((watcher,), number_or_zero(detail.get("restarts")))
    yield restarts


def _of_daemon(info: Mapping[str, Any]) -> Iterator[Metric]:
    about = GaugeMetricFamily("circus_info", "The version of the exporter.", labels=("version",))
    about.add_metric((__version__,), 1)
    yield about
    yield CounterMetricFamily(
        "circus_daemon_cpu_seconds", "Processor time of the daemon.", _cpu_seconds(info)
    )
    yield GaugeMetricFamily(
        "circus_daemon_resident_memory_bytes",
        "Resident memory of the daemon.",
        _resident(info),
    )


def _of_processes(infos: Mapping[str, Mapping[str, Any]]) -> Iterator[Metric]:
    labels = ("watcher", "wid")
    processes = [
        ((watcher, str(info.get("wid", info["pid"]))), info)
        for watcher, infos_by_pid in infos.items()
        for info in infos_by_pid.values()
        if isinstance(info, Mapping)  # one that has just ended is told as a text
    ]
    for name, (about, read) in _OF_PROCESSES.items():
        gauge = GaugeMetricFamily(f"circus_process_{name}", about, labels=labels)
        for process, info in processes:
            if (value := read(info)) is not None:
                gauge.add_metric(process, value)
        yield gauge
    cpu_time = CounterMetricFamily("circus_process_cpu_seconds", "Processor time.", labels=labels)
    extra = GaugeMetricFamily(
        "circus_process_extra", "Numbers that packages bring.", labels=(*labels, "name")
    )
    for process, info in processes:
        cpu_time.add_metric(process, _cpu_seconds(info))
        for name, value in (info.get("extra") or {}).items():
            if isinstance(value, int | float):
                extra.add_metric((*process, escaped(name, LONGEST_LABEL)), value)
    yield cpu_time
    yield extra


def _number(info: Mapping[str, Any], key: str, otherwise: float | None = None) -> float | None:
    """Return a number; what may not be read, or an older daemon does not tell, is left out."""
    value = info.get(key)
    return float(value) if isinstance(value, int | float) else otherwise


def _resident(info: Mapping[str, Any]) -> float:
    return _number(info, "rss") or bytes_of_size(info.get("mem_info1"))


def _cpu_seconds(info: Mapping[str, Any]) -> float:
    return _number(info, "cpu_time") or seconds(info.get("ctime"))


def seconds(text: object) -> float:
    """Return the seconds of a processor time such as 12:05.10; N/A counts nothing."""
    minutes, colon, rest = str(text).rpartition(":")
    try:
        return 60 * float(minutes) + float(rest) if colon else 0.0
    except ValueError:
        return 0.0
