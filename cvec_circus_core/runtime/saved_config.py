"""What was changed at run time, and the file beside the configuration file that keeps it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from cvec_circus_core.model.errors import ConfigError
from cvec_circus_core.model.names import name_key
from cvec_circus_core.model.specs import WatcherSpec
from cvec_circus_core.model.views import RuntimeChange
from cvec_circus_core.policy.config_drift import AUTOSTART, drift, shown_at, unlike
from cvec_circus_core.policy.config_plan import Present, watchers_by_key


class SavedConfig:
    """What was changed at run time, in a file beside the configuration file; here, in none."""

    async def preview(self, sections: Mapping[str, Mapping[str, str]]) -> Iterable[WatcherSpec]:
        """Return the watchers that the next start would find. Raises `ConfigError`."""
        raise ConfigError("there is no configuration file to save anything beside")

    async def write(self, sections: Mapping[str, Mapping[str, str]]) -> str:
        """Write sections over those that are there; return the path. Raises `ConfigError`."""
        raise ConfigError("there is no configuration file to save anything beside")


def changes_of(
    present: Present, as_json: Callable[[WatcherSpec], Mapping[str, object]]
) -> list[RuntimeChange]:
    """Return how the watchers in force differ from those of the files."""
    changes = []
    for difference in drift(present):
        shown = as_json(present.watchers[name_key(difference.watcher)])
        options = {key: shown_at(shown, key) for key in difference.keys}
        if difference.is_stopped or difference.is_started:
            options[AUTOSTART] = difference.is_started
        changes.append(RuntimeChange(difference.watcher, options, difference.is_new))
    return changes


def refuse_lossy(
    changes: Iterable[RuntimeChange], present: Present, read: Iterable[WatcherSpec]
) -> None:
    """Refuse to keep changes that are not found again. Raises `ConfigError`."""
    new = watchers_by_key(read)
    for change in changes:
        key = name_key(change.watcher)
        lost = unlike(present.watchers[key], new.get(key))
        if names := sorted(set(lost).intersection(change.options)):
            raise ConfigError(
                f"a file can not say the {', '.join(names)} of watcher {change.watcher}: "
                "nothing was written"
            )
