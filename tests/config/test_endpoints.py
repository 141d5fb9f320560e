"""Whom an endpoint can be reached by, and what a file may say of that."""

from __future__ import annotations

import pytest

from cvec_circus_core.config.mappings import arbiter_from_mapping
from cvec_circus_core.model.endpoints import is_private
from cvec_circus_core.model.errors import BadMessage


@pytest.mark.parametrize(
    ("endpoint", "private"),
    [
        ("ipc:///run/circus/control", True),
        ("ipc://@circus", True),
        ("inproc://circus", True),
        ("tcp://127.0.0.1:5555", True),
        ("tcp://127.9.9.9:*", True),
        ("tcp://localhost:5555", True),
        ("tcp://[::1]:5555", True),
        ("tcp://[::ffff:127.0.0.1]:5555", True),
        ("tcp://*:5555", False),
        ("tcp://0.0.0.0:5555", False),
        ("tcp://192.0.2.1:5555", False),
        ("tcp://[::]:5555", False),
        ("tcp://[::ffff:192.0.2.1]:5555", False),
        ("tcp://[fe80::1%eth0]:5555", False),
        ("tcp://127.0.0.1.example.org:5555", None),
        ("tcp://localhost.example.org:5555", None),
        ("tcp://eth0:5555", None),
    ],
)
def test_who_can_reach_it(endpoint: str, private: bool | None) -> None:
    assert is_private(endpoint) is private


@pytest.mark.parametrize("key", ["endpoint", "pubsub_endpoint", "stats_endpoint"])
def test_other_machines_are_let_in_in_words_only(key: str) -> None:
    with pytest.raises(BadMessage, match=r"can be reached by other machines.*insecure = True"):
        arbiter_from_mapping({key: "tcp://0.0.0.0:7000"})
    assert arbiter_from_mapping({key: "tcp://0.0.0.0:7000", "insecure": True}).insecure
