"""Additions to cvec_circus; each module has one, and an entry point in pyproject.toml names it."""
