"""Numbered backups of a file: ``.1`` is the newest, the one past the last is dropped."""

from __future__ import annotations

import gzip
import os
import shutil

_PACKED = ".gz"
_BEGUN = ".gz.part"


def shift(path: str, count: int) -> None:
    """Make ``path.1`` free, by giving every backup the next number. Raises OSError."""
    _remove(backup(path, count))
    folder, name = os.path.split(path)
    # Where a thousand may be kept, ten are there: only those are asked for.
    found = set(os.listdir(folder or "."))
    for number in range(count - 1, 0, -1):
        for end in ("", _PACKED):
            if backup(name, number) + end in found:
                os.replace(backup(path, number) + end, backup(path, number + 1) + end)


def backup(path: str, number: int) -> str:
    """Return the name of a backup."""
    return f"{path}.{number}"


def pack(path: str) -> None:
    """Compress a file; its name gets ``.gz``. At every moment one of the two is complete."""
    part = path + _BEGUN
    with open(path, "rb") as source:
        status = os.fstat(source.fileno())
        with open(part, "wb", opener=_private) as raw, gzip.open(raw, "wb") as packed:
            shutil.copyfileobj(source, packed, 1 << 20)
        os.chmod(part, status.st_mode & 0o7777)
        if os.geteuid() == 0:
            os.chown(part, status.st_uid, status.st_gid)
    os.replace(part, path + _PACKED)
    os.remove(path)


def _private(name: str, flags: int) -> int:
    return os.open(name, flags, 0o600)


def _remove(path: str) -> None:
    for end in ("", _PACKED, _BEGUN):
        try:
            os.remove(path + end)
        except FileNotFoundError:
            continue
