"""The sockets of Supervisor's FastCGI programs: managed sockets, as standard input."""

from __future__ import annotations

from collections.abc import Mapping

from cvec_circus_core.api import Imported, ImportedSection, ImportProblem
from cvec_circus_plugins.importers._supervisord_file import SupervisorSection


def add_socket(
    imported: Imported,
    section: SupervisorSection,
    watcher: ImportedSection,
    values: Mapping[str, object],
) -> None:
    """Have the watcher of a FastCGI program get its socket. Raises `ImportProblem`."""
    url = section.expanded("socket", values)
    origin = section.origin("socket")
    transport, _, place = url.partition("://")
    socket = imported.add("socket", watcher.name)
    if transport == "unix" and place:
        socket.options |= {"path": place, "replace": "yes"}
    elif transport == "tcp" and place.rpartition(":")[2].isdecimal():
        host, _, port = place.rpartition(":")
        socket.options |= {"host": host.strip("[]") or "localhost", "port": port}
        if ":" in host:
            socket.options["family"] = "AF_INET6"
    else:
        raise ImportProblem(f"is unix:///PATH or tcp://HOST:PORT, not {url!r}", origin)
    owner, _, group = section.expanded("socket_owner", values).partition(":")
    more = {
        "owner": owner,
        "group": group,
        "mode": section.expanded("socket_mode", values),
        "backlog": section.expanded("socket_backlog", values),
        "blocking": "yes",
    }
    socket.options |= {key: value for key, value in more.items() if value}
    watcher.options["stdin_socket"] = socket.name
