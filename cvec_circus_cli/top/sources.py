"""Where the numbers come from, or one sentence that says why there are none.

The endpoint of the statistics is the one that was given, else the one that the daemon at the
control endpoint tells, else the usual one. A control endpoint that nobody has named is believed
only if its daemon publishes at the very statistics endpoint that is shown: another daemon may well
be at the usual address, and its watchers are not those on the screen.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from cvec_circus_cli import exit_codes
from cvec_circus_cli.requests import check_listener
from cvec_circus_cli.session import reachable
from cvec_circus_cli.settings import VARIABLE
from cvec_circus_core import api
from cvec_circus_plugins.questions import endpoints, is_control_endpoint

if TYPE_CHECKING:
    from cvec_circus_core.api import CircusClient, CircusConsumer

STATS_ENDPOINT = "tcp://127.0.0.1:5557"
CONTROL_ENDPOINT = "tcp://127.0.0.1:5555"
_ASKING = 2.0
_HOW_TO_SET = "set stats_endpoint in its [circus] section and start it anew"


class NoStatistics(Exception):
    """There are no numbers to show; the text says why, and ``code`` how to end."""

    def __init__(self, sentence: str, code: int = exit_codes.NO_ANSWER) -> None:
        super().__init__(sentence)
        self.code = code


@dataclass(frozen=True, slots=True)
class EndpointOptions:
    """What the command line says of endpoints."""

    stats: str | None = None
    control: str | None = None
    ssh: str | None = None
    ssh_keyfile: str | None = None
    timeout: float = 5.0
    trusted_users: tuple[str, ...] = ()

    def check(self, endpoint: str) -> None:
        """Raise CallError where somebody listens on this machine who is not trusted."""
        if self.ssh is None:
            check_listener(endpoint, self.trusted_users)


@dataclass(frozen=True, slots=True)
class Place:
    """Where the numbers come from, and the control endpoint of the same daemon, if it is known."""

    stats: str
    control: str | None


def locate(options: EndpointOptions) -> Place:
    """Return the endpoints to use. Raises NoStatistics."""
    if options.stats and options.control:
        return Place(options.stats, options.control)
    named = options.control or os.environ.get(VARIABLE)
    control = named or CONTROL_ENDPOINT
    try:
        endpoint = _statistics_endpoint(options, control)
    except api.CallError as error:
        if options.stats or not named:
            return Place(options.stats or STATS_ENDPOINT, None)
        raise NoStatistics(str(error)) from None
    except NoStatistics:
        if options.stats:
            return Place(options.stats, None)
        raise
    if options.stats:
        return Place(options.stats, control if endpoint == options.stats else None)
    return Place(endpoint, control)


def subscribed(options: EndpointOptions, place: Place) -> CircusConsumer:
    """Return a connection that the statistics come over. Raises NoStatistics."""
    try:
        options.check(place.stats)
        consumer = api.CircusConsumer(
            ["stat."],
            endpoint=place.stats,
            ssh_server=options.ssh,
            ssh_keyfile=options.ssh_keyfile,
            trust_user=options.trusted_users,
        )
    except api.CallError as error:
        raise NoStatistics(str(error)) from None
    try:
        if not consumer.wait_connected(options.timeout):
            raise why_not_connected(options, place)
    except BaseException:
        consumer.stop()
        raise
    return consumer


def client_of(options: EndpointOptions, control: str, timeout: float) -> CircusClient:
    """Return a client for the control endpoint. Raises CallError."""
    options.check(control)
    return api.CircusClient(
        endpoint=control,
        timeout=timeout,
        ssh_server=options.ssh,
        ssh_keyfile=options.ssh_keyfile,
        trust_user=options.trusted_users,
    )


def why_not_connected(options: EndpointOptions, place: Place) -> NoStatistics:
    """Return the reason why no conversation with the statistics endpoint began."""
    if options.ssh is None and not api.is_open(place.stats):
        return NoStatistics(
            f"nothing listens at {place.stats}: is the daemon running, and is stats_endpoint set?"
        )
    if _answers(options, place.stats):
        return NoStatistics(
            f"{place.stats} is a control endpoint: give it as --control, not as --endpoint"
        )
    if place.control is not None:
        try:
            _statistics_endpoint(options, place.control)
        except NoStatistics as refused:
            return refused
        except api.CallError:
            pass
    return NoStatistics(
        f"{place.stats} lets this user hear no statistics, or is no statistics endpoint; see "
        "allow_users and viewers in the [circus] section",
        exit_codes.REFUSED,
    )


def why_silent(place: Place, seconds: float) -> NoStatistics:
    """Return what there is to say where the endpoint is there and tells nothing."""
    return NoStatistics(
        f"no statistics came from {place.stats} in {seconds:g} s, see --timeout; is its watcher "
        "circusd-stats active?"
    )


def read_statistics_endpoint(reply: Mapping[str, Any], control: str) -> str:
    """Return the statistics endpoint by the daemon's answer. Raises NoStatistics."""
    if reply.get("status") == "error":
        raise NoStatistics(f"refused by {control}: {reply.get('reason')}", exit_codes.REFUSED)
    options = reply.get("options")
    endpoint = options.get("stats_endpoint") if isinstance(options, Mapping) else None
    if not isinstance(endpoint, str) or not endpoint:
        raise NoStatistics(f"the daemon at {control} publishes no statistics: {_HOW_TO_SET}")
    return reachable(endpoint, control)


def _statistics_endpoint(options: EndpointOptions, control: str) -> str:
    """Ask the daemon. Raises CallError, NoStatistics."""
    if options.ssh is None and not api.is_open(control):
        raise api.CallError(
            f"nothing listens at {control}: is the daemon running, and is this its endpoint?"
        )
    with client_of(options, control, min(options.timeout, _ASKING)) as client:
        return read_statistics_endpoint(endpoints(partial(_call, client)), control)


def _call(client: CircusClient, command: str, properties: Mapping[str, Any]) -> Mapping[str, Any]:
    return client.send_message(command, **properties)


def _answers(options: EndpointOptions, endpoint: str) -> bool:
    try:
        with client_of(options, endpoint, min(options.timeout, _ASKING)) as client:
            return is_control_endpoint(partial(_call, client))
    except api.CallError:
        return False
