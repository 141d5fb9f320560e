"""Writing what was changed at run time into the file beside the configuration file."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeVar

from cvec_circus_core.config.build import Loaded
from cvec_circus_core.config.load import read_saved, saved_beside
from cvec_circus_core.config.raw import WritableFormat
from cvec_circus_core.extend.registry import load_formats
from cvec_circus_core.model.errors import ConfigError
from cvec_circus_core.model.specs import WatcherSpec
from cvec_circus_core.runtime.saved_config import SavedConfig
from cvec_circus_core.system.private_files import rewrite
from cvec_circus_core.system.whole_files import ReadingThread

Result = TypeVar("Result")

_HEADER = """\
# Written by `circusctl save`: what was changed while circusd ran. It counts more than the file
# beside it; delete it, or lines of it, to have that one alone count again.
"""

Sections = Mapping[str, Mapping[str, str]]


class SavedFile(SavedConfig):
    """The file beside a configuration file."""

    def __init__(
        self, path: str, read: Callable[[str], Loaded], thread: ReadingThread | None = None
    ) -> None:
        """``read`` reads the configuration with another text in the place of this file."""
        self.path = saved_beside(Path(path))
        self._read = read
        self._thread = thread or ReadingThread()

    async def preview(self, sections: Sections) -> tuple[WatcherSpec, ...]:
        """Return the watchers that the next start would find. Raises `ConfigError`."""
        loaded = await self._in_thread(lambda: self._read(self._text(sections)))
        return loaded.watchers

    async def write(self, sections: Sections) -> str:
        """Write sections over those that are there; return the path. Raises `ConfigError`."""

        def write() -> None:
            text = self._text(sections)
            rewrite(str(self.path), lambda _: text)

        await self._in_thread(write)
        return str(self.path)

    async def _in_thread(self, work: Callable[[], Result]) -> Result:
        try:
            return await self._thread.run(work)
        except TimeoutError as error:
            raise ConfigError(f"{self.path} does not answer: {error.strerror}") from None

    def _text(self, sections: Sections) -> str:
        formats = load_formats()
        writable = next((each for each in formats if isinstance(each, WritableFormat)), None)
        if writable is None:
            raise ConfigError("no installed package can write a configuration file")
        merged = {section.name: dict(section.values) for section in read_saved(self.path, formats)}
        texts = {
            name: {key: value.text for key, value in values.items()}
            for name, values in merged.items()
        }
        for name, values in sections.items():
            texts[name] = {**texts.get(name, {}), **values}
        try:
            return _HEADER + writable.write(texts)
        except ValueError as error:
            raise ConfigError(f"{error}; nothing was written") from None
