"""The names of Circus 0.19, over cvec-circus, for programs that import ``circus``."""

from __future__ import annotations

import logging
from importlib.metadata import PackageNotFoundError, distribution
from typing import TYPE_CHECKING, Any

from cvec_circus_core.api import __version__ as _ours

if TYPE_CHECKING:
    from circus.arbiter import Arbiter

version_info = (0, 19, 0)
__version__ = ".".join(map(str, version_info))
"""The release whose surface this is; the program behind it is another."""

logger = logging.getLogger("circus")


def _refuse_the_other() -> None:
    try:
        other = distribution("circus")
    except PackageNotFoundError:
        return
    if other.version.partition("+")[2] != "cvec":
        raise ImportError(
            f"cvec-circus-compat {_ours} and circus {other.version} are both installed, and both "
            "are the package circus: pip uninstall one of them, and install the other again"
        )


_refuse_the_other()

# What our modules log arrives where the program listens: at the logger circus and above.
for _name in ("cvec_circus_core", "cvec_circus_plugins"):
    logging.getLogger(_name).parent = logger


def get_arbiter(watchers: Any, *args: Any, **options: Any) -> Arbiter:
    """Make an arbiter for a list of mappings with ``cmd`` and other options of watchers."""
    from circus.arbiter import make_arbiter

    return make_arbiter(watchers, *args, **options)
