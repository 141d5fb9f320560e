"""The notifier: tells people, by webhook and by mail, what happens to watchers.

    events -> chosen by name, watcher and reason -> limited -> one queue per receiver -> sent

Each receiver has its queue and its task, and each attempt is made in a thread with a limit: one
that is slow, or not there, holds up neither the other one nor the events.
"""

from cvec_circus_plugins.notifier.plugin import Notifier

__all__ = ["Notifier"]
