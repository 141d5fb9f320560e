"""Files that nobody else may read or put something else in the place of: keys.

A file is judged by what was opened, not by its name: it is a plain one, it is ours, and its mode
keeps others out. A link is followed only where nobody else could have made it. What is written
appears whole and at once, and never through a link.
"""

from __future__ import annotations

import errno
import fcntl
import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from cvec_circus_core.model.curve_keys import BadKeys
from cvec_circus_core.system.accounts import unmapped_uid, user_name
from cvec_circus_core.system.trusted_paths import UntrustedPath, hold
from cvec_circus_core.system.umask import umask

_LARGEST = 1 << 20
_READ = os.O_RDONLY | os.O_CLOEXEC | os.O_NOCTTY | os.O_NONBLOCK
_OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH
_OTHERS_READ = stat.S_IRGRP | stat.S_IROTH


def read_private(path: str, *, secret: bool = True) -> str:
    """Return the text of a file of ours, that nobody else can change, or read if it is secret.

    Raises `BadKeys` with a sentence, and FileNotFoundError.
    """
    fd = _opened(path)
    try:
        _judge(path, os.fstat(fd), secret=secret)
        return os.read(fd, _LARGEST).decode()
    except UnicodeDecodeError:
        raise BadKeys(f"{path} is no text") from None
    finally:
        os.close(fd)


def write_new(path: str, text: str) -> None:
    """Make a file that only we may read. Raises `BadKeys`, also where there is one already."""
    with _folder_of(path) as folder:
        try:
            _write(folder, os.path.basename(path), text)
        except FileExistsError:
            raise BadKeys(f"{path} already exists; move it away first") from None


def rewrite(path: str, change: Callable[[str], str]) -> None:
    """Replace the text of a file, made where it is not there; one at a time. Raises `BadKeys`."""
    with _folder_of(path) as folder:
        fcntl.flock(folder, fcntl.LOCK_EX)
        try:
            text = read_private(path, secret=False)
        except FileNotFoundError:
            text = ""
        name = os.path.basename(path)
        _unlink(f".{name}.new", folder)
        _write(folder, f".{name}.new", change(text))
        os.replace(f".{name}.new", name, src_dir_fd=folder, dst_dir_fd=folder)


def _opened(path: str) -> int:
    try:
        try:
            return os.open(path, _READ | os.O_NOFOLLOW)
        except OSError as error:
            if error.errno != errno.ELOOP:
                raise
        folder = os.path.dirname(path) or "."
        if os.stat(folder).st_mode & _OTHERS_WRITE:
            raise BadKeys(
                f"{path} is a link in a folder that others may write: put the file itself "
                "into a folder of your own"
            )
        return os.open(path, _READ)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise _problem(path, "read", error) from None


def _judge(path: str, found: os.stat_result, *, secret: bool) -> None:
    mode = stat.S_IMODE(found.st_mode)
    if not stat.S_ISREG(found.st_mode):
        raise BadKeys(f"{path} is no plain file")
    if found.st_uid != os.geteuid():
        owner, me = user_name(found.st_uid), user_name(os.geteuid())
        raise BadKeys(f"{path} belongs to user {owner!r}, not to {me!r}")
    if secret and mode & (_OTHERS_READ | _OTHERS_WRITE):
        raise BadKeys(f"{path} can be read by others (mode {mode:03o}): chmod 600 {path}")
    if mode & _OTHERS_WRITE:
        raise BadKeys(f"{path} can be written by others (mode {mode:03o}): chmod 600 {path}")
    _judge_way(path)


def _judge_way(path: str) -> None:
    """Refuse a file where others could put another one, or another folder on its way."""
    try:
        with hold(path):
            pass
    except UntrustedPath as error:
        raise BadKeys(str(error)) from None
    real = os.path.realpath(path)
    for folder in {*Path(os.path.abspath(path)).parents, *Path(real).parents}:
        state = os.stat(folder)
        if state.st_uid not in {0, os.geteuid(), unmapped_uid()}:
            owner = user_name(state.st_uid)
            raise BadKeys(
                f"{path} is in {folder}, which belongs to user {owner!r}, who may put another file "
                "in its place"
            )
        is_last = folder == Path(real).parent
        writers = stat.S_IWGRP if is_last or state.st_gid not in {0, os.getegid()} else 0
        if state.st_mode & (writers | stat.S_IWOTH) and not state.st_mode & stat.S_ISVTX:
            where = "a folder" if is_last else str(folder)
            raise BadKeys(f"{path} is in {where} where others may put another file in its place")


@contextmanager
def _folder_of(path: str) -> Iterator[int]:
    folder = os.path.dirname(path) or "."
    try:
        _make_folders(folder)
        fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        raise _problem(folder, "used", error) from None
    try:
        yield fd
    except FileExistsError:
        raise
    except OSError as error:
        raise _problem(path, "written", error) from None
    finally:
        os.close(fd)


def _make_folders(folder: str) -> None:
    with umask(_OTHERS_READ | _OTHERS_WRITE | stat.S_IXGRP | stat.S_IXOTH):
        os.makedirs(folder, 0o700, exist_ok=True)


def _write(folder: int, name: str, text: str) -> None:
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    fd = os.open(name, flags, 0o600, dir_fd=folder)
    try:
        os.fchmod(fd, 0o600)
        with open(fd, "w", encoding="utf-8", closefd=False) as file:
            file.write(text)
        os.fsync(fd)
    except BaseException:
        os.unlink(name, dir_fd=folder)
        raise
    finally:
        os.close(fd)


def _unlink(name: str, folder: int) -> None:
    try:
        os.unlink(name, dir_fd=folder)
    except FileNotFoundError:
        pass


def _problem(path: str, done: str, error: OSError) -> BadKeys:
    return BadKeys(f"{path} can not be {done}: {(error.strerror or str(error)).lower()}")
