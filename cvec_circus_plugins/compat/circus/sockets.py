"""Managed sockets."""

from cvec_circus_core import CircusSocket, CircusSockets

__all__ = ["CircusSocket", "CircusSockets"]
