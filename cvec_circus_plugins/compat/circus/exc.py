"""Errors, by their older names."""

from cvec_circus_core.api import AlreadyExists as AlreadyExist
from cvec_circus_core.api import BadMessage as MessageError
from cvec_circus_core.api import CallError, CircusError
from cvec_circus_core.api import Conflict as ConflictError

__all__ = ["AlreadyExist", "ArgumentError", "CallError", "ConflictError", "MessageError"]


class ArgumentError(CircusError):
    """Words of a command line that make no request."""
