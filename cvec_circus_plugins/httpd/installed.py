"""The additions to the console that are installed: found by entry point, each on its own."""

from __future__ import annotations

import logging
import re
from importlib.metadata import entry_points

from cvec_circus_plugins.httpd.extension import GROUP, ConsoleExtension, Extensions

log = logging.getLogger(__name__)

_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,40}")


def installed_extensions() -> Extensions:
    """Return those that load; one that does not is told in the log, and hurts no other."""
    extensions: dict[str, ConsoleExtension] = {}
    for point in sorted(entry_points(group=GROUP), key=lambda point: point.name):
        try:
            extension = point.load()
        except Exception as error:
            log.warning(
                "%s %s does not load: %s: %s", GROUP, point.name, type(error).__name__, error
            )
            continue
        if not isinstance(extension, ConsoleExtension) or not _NAME.fullmatch(point.name):
            log.warning("%s %s is left out: it is no ConsoleExtension", GROUP, point.name)
        elif point.name in extensions:
            log.warning("%s %s is left out: another package has brought it", GROUP, point.name)
        else:
            extensions[point.name] = extension
    return Extensions(extensions)
