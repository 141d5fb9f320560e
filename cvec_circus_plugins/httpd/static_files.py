"""The files that pages need, held in memory, under addresses that change with their contents.

So a browser keeps them for ever and never asks again, and no path from outside reaches a file. All
share one digest, so that a script may import another by its name alone.
"""

from __future__ import annotations

import gzip
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from hashlib import sha256
from mimetypes import guess_type
from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response

from cvec_circus_plugins.httpd.responses import problem

_FOREVER = "public, max-age=31536000, immutable"
_WORTH_PACKING = 512


@dataclass(frozen=True, slots=True)
class StaticFile:
    """One file."""

    media_type: str
    data: bytes
    packed: bytes | None


class StaticFiles:
    """All files of some folders, by their path there; earlier folders win."""

    def __init__(self, folders: Mapping[str, Path]) -> None:
        """``folders`` have a prefix each, empty for our own."""
        self._files = {
            prefix + name: _read(path)
            for prefix, folder in folders.items()
            for name, path in _files_of(folder)
        }
        everything = sha256()
        for name, file in sorted(self._files.items()):
            everything.update(name.encode() + b"\0" + sha256(file.data).digest())
        self._digest = everything.hexdigest()[:16]

    def address(self, name: str) -> str:
        """Return the path of a file below the root of the console. Raises KeyError."""
        if name not in self._files:
            raise KeyError(name)
        return f"/static/{self._digest}/{name}"

    async def serve(self, request: Request) -> Response:
        """Answer a request for a file."""
        file = self._files.get(request.path_params["name"])
        if file is None:
            return problem(404, "no such file")
        headers = {"etag": f'"{self._digest}"', "vary": "Accept-Encoding"}
        is_current = request.path_params["digest"] == self._digest
        headers["cache-control"] = _FOREVER if is_current else "no-cache"
        if request.headers.get("if-none-match") == headers["etag"]:
            return Response(status_code=304, headers=headers)
        if file.packed is not None and "gzip" in request.headers.get("accept-encoding", ""):
            headers["content-encoding"] = "gzip"
            return Response(file.packed, media_type=file.media_type, headers=headers)
        return Response(file.data, media_type=file.media_type, headers=headers)


def _files_of(folder: Path) -> Iterator[tuple[str, Path]]:
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            yield path.relative_to(folder).as_posix(), path


def _read(path: Path) -> StaticFile:
    data = path.read_bytes()
    media_type = guess_type(path.name)[0] or "application/octet-stream"
    packed = gzip.compress(data, 9, mtime=0) if len(data) > _WORTH_PACKING else None
    is_worth_it = packed is not None and len(packed) < len(data)
    return StaticFile(media_type, data, packed if is_worth_it else None)
