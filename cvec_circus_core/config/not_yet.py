"""Options that are declared and checked, and do nothing yet: said aloud where a file gives one.

Whoever builds one takes its name out of the table; the reference reads it too.
"""

from __future__ import annotations

from collections.abc import Iterator

from cvec_circus_core.config.build import Loaded
from cvec_circus_core.config.raw import Problem
from cvec_circus_core.model.options import declared_options
from cvec_circus_core.model.specs import ArbiterSpec

NOT_YET = frozenset(
    {
        *("multicast_endpoint", "fqdn_prefix"),
        *("httpd", "httpd_host", "httpd_port", "httpd_close_outputs"),
        "debug",
    }
)
"""Names of options of the daemon."""


def doubts_of(loaded: Loaded) -> Iterator[Problem]:
    """Yield a warning for each option that was given, and does nothing yet."""
    declared = declared_options(ArbiterSpec)
    for name in declared:
        if name in NOT_YET and getattr(loaded.arbiter, name) != declared[name].default:
            yield Problem(section="circus", key=name, sentence="has no effect in this version")
