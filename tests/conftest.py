"""What holds for all tests."""

from __future__ import annotations

from hypothesis import settings

# How long an example takes says something about the machine's other work, nothing about us.
settings.register_profile("all", deadline=None, print_blob=True)
settings.load_profile("all")
