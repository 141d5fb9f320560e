"""Errors, by their older names."""

from cvec_circus_core.api import (
    AlreadyExists as AlreadyExist,
    BadMessage as MessageError,
    CallError,
    CircusError,
    Conflict as ConflictError,
)

__all__ = ["AlreadyExist", "ArgumentError", "CallError", "ConflictError", "MessageError"]


class ArgumentError(CircusError):
    """Words of a command line that make no request."""
