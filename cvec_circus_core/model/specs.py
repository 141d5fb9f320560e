"""What the operator wants, as frozen values: one watcher, and the daemon itself.

Every option is declared once (see `options.py`). The sections and the meaning of each key follow
spec: config, sections circus and watcher.
"""

from __future__ import annotations

from cvec_circus_core.model.arbiter_spec import ArbiterSpec
from cvec_circus_core.model.watcher_spec import WatcherSpec

__all__ = ["ArbiterSpec", "WatcherSpec"]
