"""How a stream class is found, and what is said of a wrong one."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from cvec_circus_core.extend.registry import load_group
from cvec_circus_core.extend.sink import STREAMS, Sinks, Stream
from cvec_circus_core.model.errors import ConfigError
from cvec_circus_core.model.options import declared_options

CUSTOM = """
class Old:
    "Written for the older system."
    def __init__(self, prefix, volume="3", **kwargs):
        self.given = (prefix, volume, kwargs)
    def __call__(self, data):
        pass

class Strict:
    def __init__(self, prefix=""):
        self.prefix = prefix
    def __call__(self, data):
        pass

class Mute:
    pass

class Broken:
    def __init__(self):
        raise RuntimeError("out of ink")
    def __call__(self, data):
        pass

def make(**kwargs):
    return print

number = 3
"""


@pytest.fixture(autouse=True)
def custom(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Have a module with classes of somebody else's."""
    (tmp_path / "inkpot.py").write_text(CUSTOM)
    (tmp_path / "crash.py").write_text("1 / 0")
    monkeypatch.syspath_prepend(str(tmp_path))
    yield
    sys.modules.pop("inkpot", None)


@pytest.mark.parametrize(
    ("settings", "name"),
    [
        ({"filename": "x"}, "FileStream"),
        ({"class": "FileStream"}, "FileStream"),
        ({"class": "StdoutStream"}, "StdoutStream"),
        ({"class": "circus.stream.StdoutStream"}, "StdoutStream"),
        ({"class": "circus.stream.FancyStdoutStream", "color": "red"}, "FancyStdoutStream"),
        ({"class": "circus.stream.file_stream.WatchedFileStream"}, "WatchedFileStream"),
        ({"class": "QueueStream", "refresh_time": "0.3", "stream_backend": "x"}, "QueueStream"),
        ({"class": "inkpot.Old", "prefix": "a"}, "Old"),
        ({"class": "inkpot:Strict"}, "Strict"),
        ({"class": "inkpot.Strict", "refresh_time": 0.3}, "Strict"),
    ],
)
def test_found(settings: Mapping[str, Any], name: str) -> None:
    sinks = Sinks()
    assert not list(sinks.faults(settings))
    assert type(sinks.make(settings)).__name__ == name


def test_a_ready_made_one_is_taken_as_it_is() -> None:
    assert Sinks().make({"stream": print, "refresh_time": 1}) is print
    assert not list(Sinks().faults({"stream": print}))


def test_texts_stay_texts_for_classes_of_others() -> None:
    made: Any = Sinks().make({"class": "inkpot.Old", "prefix": "a", "volume": "9", "x": "1"})
    assert made.given == ("a", "9", {"x": "1"})


def test_a_function_that_makes_one_will_do() -> None:
    assert Sinks().make({"class": "inkpot.make"}) is print


@pytest.mark.parametrize(
    ("settings", "faults"),
    [
        ({"class": "FileSteam"}, ["class names no stream class; did you mean FileStream?"]),
        ({"class": "circus.stream.Nope"}, ["class names no stream class"]),
        ({"class": "nowhere.Thing"}, ["class nowhere.Thing can not be imported: No module"]),
        ({"class": "inkpot.Nope"}, ["class inkpot.Nope can not be imported: module 'inkpot'"]),
        ({"class": "crash.Thing"}, ["class crash.Thing can not be imported: division by zero"]),
        ({"class": "inkpot.Mute"}, ["class inkpot.Mute can not be used: its instances can not"]),
        ({"class": "inkpot.number"}, ["class inkpot.number can not be used: its instances"]),
        ({"class": "inkpot.Old"}, ["class Old needs the option prefix"]),
        ({"class": "inkpot.Strict", "color": "red"}, ["color is no option of Strict"]),
        (
            {"filename": "x", "color": "red", "max_bytes": "big"},
            ["color is no option of FileStream", "max_bytes isn't an integer"],
        ),
        ({"filename": "x", "max_bytes": "10"}, ["max_bytes needs a backup_count"]),
        ({"filename": "x", "max_bytes": -1}, ["max_bytes isn't an integer at least 0"]),
        ({"filename": "x", "gzip": "perhaps"}, ["gzip isn't a boolean"]),
        ({"filename": "x", "mode": "999"}, ["mode isn't an octal number"]),
        ({"filename": "x", "prefix": "{house}"}, ["prefix can not be filled in: 'house'"]),
        ({"class": "TimedRotatingFileStream", "filename": "x"}, ["rotate_when is missing"]),
    ],
)
def test_refused(settings: Mapping[str, Any], faults: list[str]) -> None:
    found = [str(one) for one in Sinks().faults(settings)]
    assert len(found) == len(faults)
    assert all(said.startswith(fault) for said, fault in zip(found, faults, strict=True)), found


def test_a_class_that_raises_is_told_in_a_sentence() -> None:
    with pytest.raises(ConfigError, match="the stream can not be made: out of ink"):
        Sinks().make({"class": "inkpot.Broken"})


def test_every_installed_class_is_declared_and_callable() -> None:
    installed = load_group(STREAMS, lambda found: found).things
    assert len(installed) == 9
    for name, found in installed.items():
        assert found.__name__ == name
        assert issubclass(found, Stream)
        assert all(declared_option.help for declared_option in declared_options(found).values())


SUBCLASS = """
from cvec_circus_plugins.streams.file import FileStream

class Labelled(FileStream):
    def __init__(self, label, colour="red", **kwargs):
        super().__init__(**kwargs)
        self.label = label

class Heir(Labelled):
    pass
"""


class TestAConstructorOfItsOwn:
    """A subclass of a stream takes what its own constructor says, and what it passes on."""

    @pytest.fixture(autouse=True)
    def labelled(self, tmp_path: Path) -> Iterator[None]:
        """Have a module with such a class."""
        (tmp_path / "labels.py").write_text(SUBCLASS)
        yield
        sys.modules.pop("labels", None)

    @pytest.mark.parametrize("name", ["Labelled", "Heir"])
    def test_its_options_are_taken(self, name: str) -> None:
        settings = {"class": f"labels.{name}", "label": "x", "filename": "f", "max_bytes": "0"}
        assert not list(Sinks().faults(settings))
        made: Any = Sinks().make(settings)
        assert (made.label, made.filename, made.max_bytes) == ("x", "f", 0)

    @pytest.mark.parametrize(
        ("options", "fault"),
        [
            ({"filename": "f"}, "class Labelled needs the option label"),
            ({"label": "x", "lable": "y"}, "lable is no option of Labelled"),
            ({"label": "x", "max_bytes": "many"}, "max_bytes isn't an integer"),
        ],
    )
    def test_what_is_missing_or_wrong_is_told(self, options: dict[str, str], fault: str) -> None:
        (found,) = Sinks().faults({"class": "labels.Labelled", **options})
        assert str(found).startswith(fault)
