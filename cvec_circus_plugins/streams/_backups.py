"""Numbered backups of a file: ``.1`` is the newest, the one past the last is dropped.

All of it happens in the folder of the file, held open, so that nobody who may write there can have
another file read, written or renamed instead.
"""

from __future__ import annotations

import gzip
import os
import re
import shutil
from typing import TYPE_CHECKING

from cvec_circus_core import api

if TYPE_CHECKING:
    from cvec_circus_core.api import Spot

_PACKED = ".gz"
_BEGUN = ".gz.part"
_LEVEL = 6
"""As gzip itself has it: three times as fast as the best, and hardly larger."""


def shift(path: str, count: int) -> None:
    """Make ``path.1`` free, by giving every backup the next number.

    A link is followed: backups stand beside its target. Raises OSError and `SystemProblem`, as all
    here.
    """
    with api.hold(path) as spot:
        # However many may be kept: those that are there are asked for.
        backups = re.compile(re.escape(spot.name) + rf"\.([1-9]\d{{0,18}})({re.escape(_PACKED)})?")
        matches = [match for name in spot.names() if (match := backups.fullmatch(name))]
        numbers = {int(match[1]) for match in matches}
        # A number is free where a daemon was killed in the middle of this: then none is too many.
        last = next((number for number in range(1, count) if number not in numbers), count)
        for end in ("", _PACKED, _BEGUN):
            _remove(spot.named(backup(spot.name, last) + end))
        packed = {int(match[1]) for match in matches if match[2]}
        for match in sorted(matches, key=lambda match: -int(match[1])):
            if (number := int(match[1])) >= last:
                continue
            if number in packed and not match[2]:
                _remove(spot.named(match[0]))
                continue
            spot.named(match[0]).rename(backup(spot.name, number + 1) + (match[2] or ""))


def backup(path: str, number: int) -> str:
    """Return the name of a backup."""
    return f"{path}.{number}"


def pack(path: str, suffix: str = "") -> None:
    """Compress the backup of a file that ends with a suffix; its name gets ``.gz``.

    At every moment one of the two is complete.
    """
    with api.hold(path, follow=bool(suffix)) as file:
        spot = file.named(file.name + suffix)
        part = spot.named(spot.name + _BEGUN)
        _remove(part)
        with open(spot.open(os.O_RDONLY, welcome={spot.look().st_uid}), "rb") as source:
            status = os.fstat(source.fileno())
            target = part.open(os.O_WRONLY | os.O_CREAT | os.O_EXCL)
            with open(target, "wb") as raw:
                with gzip.open(raw, "wb", _LEVEL) as packed:
                    shutil.copyfileobj(source, packed, 1 << 20)
                os.fchmod(target, status.st_mode & 0o7777)
                if os.geteuid() == 0:
                    os.fchown(target, status.st_uid, status.st_gid)
        part.rename(spot.name + _PACKED)
        spot.remove()


def _remove(spot: Spot) -> None:
    try:
        spot.remove()
    except FileNotFoundError:
        return
