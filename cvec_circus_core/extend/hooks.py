"""Calling kernel hooks, plugin by plugin: pluggy alone would stop at the first exception."""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import partial
from typing import Any

import pluggy

from cvec_circus_core.extend.hookspecs import PROJECT, KernelHooks
from cvec_circus_core.extend.registry import load_group

log = logging.getLogger(__name__)

KERNEL = "cvec_circus.kernel"


class Hooks:
    """The kernel plugins that are there."""

    def __init__(self) -> None:
        self._plugins = pluggy.PluginManager(PROJECT)
        self._plugins.add_hookspecs(KernelHooks)

    @classmethod
    def installed(cls) -> Hooks:
        """Return the hooks of every installed package."""
        hooks = cls()
        for name, plugin in load_group(KERNEL, _instance).things.items():
            hooks.add(name, plugin)
        return hooks

    def add(self, name: str, plugin: object) -> None:
        """Add a plugin under a name that stands in the log. One that does not fit is left out."""
        try:
            self._plugins.register(plugin, name)
            self._plugins.check_pending()
        except (pluggy.PluginValidationError, ValueError) as error:
            if self._plugins.is_registered(plugin):  # older releases of pluggy keep half of it
                self._plugins.unregister(plugin)
            log.warning("kernel plugin %s is left out: %s", name, error)

    def gather(self, hook: str, **given: object) -> list[Any]:
        """Call a hook of every plugin and return what they answered, but None.

        A plugin that raises is named in the log; the others are called all the same.
        """
        answers = []
        for name, ask in self.callers(hook):
            try:
                answer = ask(**given)
            except Exception:
                log.exception("kernel plugin %s failed in %s", name, hook)
                continue
            if answer is not None:
                answers.append(answer)
        return answers

    def callers(self, hook: str) -> list[tuple[str, Callable[..., Any]]]:
        """Return the name of every plugin that implements a hook, and what calls it by keywords.

        For those who call each one in a way of their own: what it raises is theirs.
        """
        implementations = getattr(self._plugins.hook, hook).get_hookimpls()
        return [
            (implementation.plugin_name, partial(_call, implementation))
            for implementation in implementations
        ]


def _call(found: pluggy.HookImpl, **given: object) -> object:
    return found.function(*(given[name] for name in found.argnames))


def _instance(found: object) -> object:
    instance: object = found() if isinstance(found, type) else found
    return instance
