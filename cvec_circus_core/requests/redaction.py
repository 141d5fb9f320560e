"""What only those see who may do everything: values of env, and of what sounds secret."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from cvec_circus_core.model.specs import WatcherSpec
from cvec_circus_core.model.values import replace

HIDDEN = "***"
"""Stands for a value that is not for the caller."""

_SOUNDS_SECRET = re.compile(
    r"passw|passphrase|secret|token|credential|api_?key|private_?key|access_?key", re.IGNORECASE
)


def without_secrets(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return options with all values of env, and those whose names sound secret, hidden."""
    hidden = {key: _without(key, value) for key, value in options.items()}
    return {**hidden, "env": dict.fromkeys(options.get("env") or {}, HIDDEN)}


def spec_without_secrets(spec: WatcherSpec) -> WatcherSpec:
    """Return a spec with the same hidden."""
    return replace(
        spec,
        env=dict.fromkeys(spec.env, HIDDEN),
        extra=_without("", spec.extra),
        stdout_stream=_without("", spec.stdout_stream),
        stderr_stream=_without("", spec.stderr_stream),
    )


def _without(name: str, value: object) -> object:
    if _SOUNDS_SECRET.search(name):
        return HIDDEN
    if isinstance(value, Mapping):
        return {key: _without(str(key), member) for key, member in value.items()}
    return value
