"""Options that are declared and checked, and do nothing yet: said aloud where a file gives one.

Anyone who builds one takes its name out of the table; the reference reads it too.
"""

from __future__ import annotations

NOT_YET = frozenset(
    {
        *("multicast_endpoint", "fqdn_prefix"),
        "debug",
    }
)
"""Names of options of the daemon."""
