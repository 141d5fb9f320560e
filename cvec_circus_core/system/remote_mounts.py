"""Paths that may hang: on a file system whose server may not answer any more (Linux).

Which they are, the table of mounts says, without a touch of any. The links on the way are followed
as far as they are on disks of this machine. Where nothing of that kind is mounted, as on most
machines, the answer costs nothing.
"""

from __future__ import annotations

import os
import re
import select
from collections import deque
from collections.abc import Iterable
from contextlib import closing
from io import FileIO

from cvec_circus_core.system.deadline import Deadline

_TABLE = "/proc/self/mountinfo"
_FRESH = 1.0
"""Seconds for which the table is taken to be what it was."""
_LINKS_AT_MOST = 40
_KINDS = re.compile(
    r"nfs|cifs|smb|fuse|9p|ceph|gluster|afs|lustre|beegfs|orangefs|coda|autofs|virtiofs|vboxsf"
    r"|gpfs|ocfs2|gfs2|davfs|ncpfs"
)
_ESCAPE = re.compile(r"\\([0-7]{3})")


class RemoteMounts:
    """The places where a look may hang."""

    def __init__(self, table: str = _TABLE) -> None:
        self._table = table
        self._fresh = Deadline(0.0)
        self._places: frozenset[str] = frozenset()
        self._file: FileIO | None = None
        self._changes = select.poll()

    def any(self) -> bool:
        """Tell whether there is any."""
        if not self._fresh.left() or self._changes.poll(0):
            self._fresh, self._places = Deadline(_FRESH), self._read()
        return bool(self._places)

    def close(self) -> None:
        """Let go of the table."""
        if self._file is not None:
            self._changes.unregister(self._file)
            self._file.close()
            self._file = None

    def place_of(self, path: str) -> str | None:
        """Return the place that a look at a path leads through; None where there is none."""
        if not self.any():
            return None
        names, here, links = deque(_names(os.path.join(os.getcwd(), path))), "", 0
        while names:
            name = names.popleft()
            if name == "..":
                here = os.path.dirname(here)
                continue
            there = f"{here}/{name}"
            if there in self._places:
                return there
            try:
                link = os.readlink(there)
            except OSError:
                here = there
                continue
            links += 1
            if links > _LINKS_AT_MOST:
                return None
            here = "" if link.startswith("/") else here
            names.extendleft(reversed(_names(link)))
        return None

    def _read(self) -> frozenset[str]:
        try:
            if self._file is None:
                self._file = open(self._table, "rb", buffering=0)  # noqa: SIM115 - closed above
                # The kernel tells of each change by an "error".
                self._changes.register(self._file, select.POLLERR | select.POLLPRI)
            self._file.seek(0)
            table = self._file.readall()
        except OSError:
            return frozenset()
        rows = os.fsdecode(table).split("\n")
        places = {place for row in rows for place in _remote_place(row)}
        # Where all is remote, there is nothing that could go on without it.
        return frozenset(places - {"/"})


def is_remote(path: str) -> bool:
    """Tell whether a look at a path may hang."""
    with closing(RemoteMounts()) as mounts:
        return mounts.place_of(path) is not None


def _remote_place(row: str) -> Iterable[str]:
    before, _, after = row.partition(" - ")
    fields, kind = before.split(" "), after.partition(" ")[0]
    if len(fields) > 4 and _KINDS.match(kind):
        yield _ESCAPE.sub(lambda match: chr(int(match[1], 8)), fields[4]).rstrip("/") or "/"


def _names(path: str) -> list[str]:
    return [name for name in path.split("/") if name not in ("", ".")]
