"""Reaching a file by its path without being led elsewhere by somebody with fewer rights.

A daemon that runs as root writes logs, pid files and sockets where others may write, too: in the
folder of the user that a worker runs as, in /var/log, in /tmp. Anyone who may write in a folder may
put a link in the place of a file, or of a folder on the way, and have root write at its far end.
So paths are walked name by name, each folder held open while the next is looked up in it:

* a symbolic link is followed only where nobody but root and we could have put it there: it belongs
  to one of us, and so does the folder that it is in;
* in a folder that others may write, or that belongs to somebody else, the last name must be a plain
  file, or not be there yet, and have no second name, which could be that of a file elsewhere;
* in one that everybody may write, such as /tmp, it must not belong to a stranger besides.

What is done with the file is done by its descriptor, or relative to the folder that is held, so
that nothing can be exchanged between the look and the act.
"""

from __future__ import annotations

import errno
import os
import stat
import sys
from collections import deque
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from typing import NamedTuple

from cvec_circus_core.model.errors import SystemProblem
from cvec_circus_core.system.accounts import unmapped_uid, user_name

_LOOK = getattr(os, "O_PATH", os.O_RDONLY) | os.O_CLOEXEC
_FOLDER = _LOOK | os.O_DIRECTORY | os.O_NOFOLLOW
_LINKS_AT_MOST = 40


class UntrustedPath(SystemProblem):
    """Somebody else could have led us there."""


class Spot(NamedTuple):
    """A name in a folder that is held open. Its methods raise OSError and `UntrustedPath`."""

    path: str
    """The path as it was given, for messages."""
    folder: int
    name: str
    is_shared: bool
    """Whether others may put something into the folder."""
    is_open_to_all: bool = False
    is_sticky: bool = False
    """Whether only owners may take names away."""
    is_magic: bool = False
    """Whether the name is a link of the kernel's, such as /dev/stdout leads to."""

    def open(self, flags: int, mode: int = 0o600, welcome: Collection[int] = ()) -> int:
        """Open it; ``welcome`` are further users to whom a file in /tmp may belong."""
        if self.is_magic:
            return os.open(self.name, flags | os.O_CLOEXEC, mode, dir_fd=self.folder)
        flags |= os.O_CLOEXEC | os.O_NOFOLLOW
        if not self.is_shared:
            return os.open(self.name, flags, mode, dir_fd=self.folder)
        # A pipe that somebody has put there must not make us wait for its other end.
        fd = os.open(self.name, flags | os.O_NONBLOCK, mode, dir_fd=self.folder)
        try:
            self._check(fd, welcome)
            os.set_blocking(fd, True)
        except BaseException:
            os.close(fd)
            raise
        return fd

    def look(self) -> os.stat_result:
        """Return what is there now, a link itself and not what it leads to."""
        return os.stat(self.name, dir_fd=self.folder, follow_symlinks=False)

    def give_socket(self, mode: int | None, uid: int = -1, gid: int = -1) -> None:
        """Give the socket that is there a mode and an owner, and nothing but a socket."""
        if sys.platform.startswith("linux"):
            held = os.open(self.name, _LOOK | os.O_NOFOLLOW, dir_fd=self.folder)
            try:
                self._check_socket(os.fstat(held))
                # A descriptor that only looks can not be changed itself, but what it is can.
                _give(f"/proc/self/fd/{held}", mode, uid, gid)
            finally:
                os.close(held)
        else:
            self._check_socket(self.look())
            _give(self.path, mode, uid, gid)

    def rename(self, name: str) -> None:
        """Give it another name in the same folder."""
        os.replace(self.name, name, src_dir_fd=self.folder, dst_dir_fd=self.folder)

    def remove(self) -> None:
        """Take the name away."""
        os.unlink(self.name, dir_fd=self.folder)

    def named(self, name: str) -> Spot:
        """Return another name in the same folder."""
        path = os.path.join(os.path.dirname(self.path), name)
        return self._replace(path=path, name=name, is_magic=False)

    def names(self) -> list[str]:
        """Return the names in the folder."""
        listed = os.open(".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=self.folder)
        try:
            return os.listdir(listed)
        finally:
            os.close(listed)

    def _check_socket(self, found: os.stat_result) -> None:
        if not stat.S_ISSOCK(found.st_mode):
            raise UntrustedPath(f"{self.path} is not the socket any more that was made there")

    def _check(self, fd: int, welcome: Collection[int]) -> None:
        found, named = os.fstat(fd), self.look()
        if not stat.S_ISREG(found.st_mode):
            raise UntrustedPath(
                f"{self.path} is not a plain file, in a folder that others may write"
            )
        if not os.path.samestat(found, named) or named.st_nlink != 1:
            raise UntrustedPath(f"{self.path} has more than one name: it may be a file elsewhere")
        if self.is_open_to_all and found.st_uid not in _trusted() | set(welcome):
            raise UntrustedPath(
                f"{self.path} belongs to user {user_name(found.st_uid)!r}, "
                "in a folder that everybody may write"
            )


@contextmanager
def hold(path: str | os.PathLike[str], *, follow: bool = True) -> Iterator[Spot]:
    """Hold the folder of a path while something is done with its last name.

    Without ``follow`` the last name is itself meant, even if it is a link.
    Raises OSError where it is not there, `UntrustedPath` where it is led astray.
    """
    walk = _Walk(os.fspath(path), follow=follow)
    try:
        yield walk.to_the_end()
    finally:
        os.close(walk.folder)


class _Walk:
    """A path that is walked name by name."""

    def __init__(self, path: str, *, follow: bool) -> None:
        if not path or "\0" in path:
            raise OSError(errno.EINVAL, os.strerror(errno.EINVAL), path)
        self._path = path
        self._follow = follow
        self._names: deque[str] = deque()
        self._links = 0
        self.folder = os.open(".", _LOOK | os.O_DIRECTORY)
        try:
            self._begin(path)
        except BaseException:
            os.close(self.folder)
            raise

    def to_the_end(self) -> Spot:
        """Return where the path ends."""
        while True:
            name = self._names.popleft()
            here = os.fstat(self.folder)
            is_meant = not self._names and not self._follow
            link = None if is_meant else self._link(name)
            if not self._names and (link is None or _is_of_the_kernel(here)):
                return self._spot(name, here, is_magic=link is not None)
            if link is None or _is_of_the_kernel(here):
                follow = 0 if link is None else os.O_NOFOLLOW
                self._enter(os.open(name, _FOLDER & ~follow, dir_fd=self.folder))
                continue
            if not _may_follow(here, link):
                raise UntrustedPath(
                    f"{self._path}: {name!r} is a symbolic link that user "
                    f"{_culprit(here, link)!r} could have put there"
                )
            self._links += 1
            if self._links > _LINKS_AT_MOST:
                raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), self._path)
            self._begin(os.readlink(name, dir_fd=self.folder))

    def _spot(self, name: str, here: os.stat_result, *, is_magic: bool) -> Spot:
        return Spot(
            path=self._path,
            folder=self.folder,
            name=name,
            is_shared=_is_shared(here),
            is_open_to_all=bool(here.st_mode & stat.S_IWOTH),
            is_sticky=bool(here.st_mode & stat.S_ISVTX),
            is_magic=is_magic,
        )

    def _link(self, name: str) -> os.stat_result | None:
        try:
            found = os.stat(name, dir_fd=self.folder, follow_symlinks=False)
        except FileNotFoundError:
            if self._names:
                raise
            return None
        return found if stat.S_ISLNK(found.st_mode) else None

    def _begin(self, path: str) -> None:
        if path.startswith("/"):
            self._enter(os.open("/", _FOLDER))
        names = [name for name in path.split("/") if name and name != "."]
        if path.endswith("/") or not names:
            names.append(".")
        self._names.extendleft(reversed(names))

    def _enter(self, folder: int) -> None:
        os.close(self.folder)
        self.folder = folder


def _give(path: str, mode: int | None, uid: int, gid: int) -> None:
    if (uid, gid) != (-1, -1):
        os.chown(path, uid, gid)
    if mode is not None:
        os.chmod(path, mode)


def _trusted() -> set[int | None]:
    # Whom a user namespace does not know is of the machine around it.
    return {0, os.geteuid(), unmapped_uid()}


def _is_shared(folder: os.stat_result) -> bool:
    if folder.st_uid not in _trusted() or folder.st_mode & stat.S_IWOTH:
        return True
    return bool(folder.st_mode & stat.S_IWGRP) and folder.st_gid != os.getegid()


def _may_follow(folder: os.stat_result, link: os.stat_result) -> bool:
    if not {folder.st_uid, link.st_uid} <= _trusted():
        return False
    if not _is_shared(folder):
        return True
    is_sticky = bool(folder.st_mode & stat.S_ISVTX)
    # Else others might move a link of ours about, or make a second name for one.
    return link.st_nlink == 1 and (is_sticky or not folder.st_mode & stat.S_IWOTH)


def _culprit(folder: os.stat_result, link: os.stat_result) -> str:
    return user_name(folder.st_uid if folder.st_uid not in _trusted() else link.st_uid)


def _is_of_the_kernel(folder: os.stat_result) -> bool:
    """Tell whether a folder is one of ours in /proc, whose links can not be read as paths."""
    if folder.st_uid not in _trusted():
        return False
    try:
        return folder.st_dev == os.stat("/proc").st_dev != os.stat("/").st_dev
    except OSError:
        return False
