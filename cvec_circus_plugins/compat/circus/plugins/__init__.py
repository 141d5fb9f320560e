"""The class that plugins derive from, and the command that runs one."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Mapping

from cvec_circus_cli.circus_plugin import main
from cvec_circus_core.api import CircusPlugin
from cvec_circus_core.hosting.classes import find_class

__all__ = ["CircusPlugin", "get_plugin_cmd", "main"]


def get_plugin_cmd(
    config: Mapping[str, object],
    endpoint: str,
    pubsub: str,
    check_delay: float,
    ssh_server: str | None,
    debug: bool = False,
    loglevel: str | None = None,
    logoutput: str | None = None,
) -> str:
    """Return the command line that runs a plugin beside a daemon. Raises `ConfigError`."""
    use = str(config["use"])
    find_class(use)
    words = [sys.executable, "-m", "cvec_circus_cli.circus_plugin"]
    words += ["--endpoint", endpoint, "--pubsub", pubsub, "--check-delay", f"{check_delay:g}"]
    if ssh_server is not None:
        words += ["--ssh", ssh_server]
    if debug or loglevel:
        words += ["--log-level", "debug" if debug else str(loglevel).lower()]
    if logoutput:
        words += ["--log-output", logoutput]
    for key, option in config.items():
        if key != "use":
            words += ["-o", f"{key}={option}"]
    return shlex.join([*words, use])


if __name__ == "__main__":
    sys.exit(main())
