"""Threads, by the name that programs took them from: they are the standard library's."""

from threading import RLock, Thread, Timer, get_ident

__all__ = ["RLock", "Thread", "Timer", "get_ident"]
