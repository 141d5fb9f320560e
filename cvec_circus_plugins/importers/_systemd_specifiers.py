"""Specifiers in units of systemd: %n and the like."""

from __future__ import annotations

import getpass
import os.path
import re
import socket

from cvec_circus_core.api import ImportedSection
from cvec_circus_plugins.importers._unit_file import UnitFile

_SPECIFIER = re.compile(r"%(.)")
_FOLDERS = {"t": "/run", "S": "/var/lib", "C": "/var/cache", "L": "/var/log", "E": "/etc"}
_FOLDERS |= {"T": "/tmp", "V": "/var/tmp"}  # noqa: S108
_NUMBERED = ("ExecStart", "Environment")


def specified(text: str, unit: UnitFile, instance: str = "%i") -> str:
    """Replace what stands for the unit, its folders and its user."""
    values = _values(unit, instance)
    return _SPECIFIER.sub(lambda match: values.get(match[1], match[0]), text)


def _values(unit: UnitFile, instance: str) -> dict[str, str]:
    name = os.path.basename(unit.path)
    stem, _, after = name.removesuffix(".service").partition("@")
    # Those of the user are of whom systemd runs as, whatever User= says.
    user = getpass.getuser() if "/systemd/user" in os.path.abspath(unit.path) else "root"
    return {
        "%": "%",
        "n": name,
        "N": name.removesuffix(".service"),
        "p": stem,
        "i": after or instance,
        "I": after or instance,
        "H": socket.gethostname(),
        "h": os.path.expanduser(f"~{user}"),
        "u": user,
        **_FOLDERS,
    }


def lose_specifiers(unit: UnitFile, watcher: ImportedSection) -> None:
    """Tell which specifiers are not replaced."""
    known = _values(unit, "")
    for setting in unit.sections.get("Service", []):
        for letter in dict.fromkeys(_SPECIFIER.findall(setting.value)):
            if letter not in known:
                watcher.lose(setting.origin, f"%{letter} is not replaced")
        is_template = unit.path.endswith("@.service")
        if is_template and setting.key not in _NUMBERED and "%i" in setting.value.lower():
            watcher.lose(
                setting.origin, "%i is the number of the process in commands and variables alone"
            )
