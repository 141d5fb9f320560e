"""The library: `get_arbiter`, `Arbiter`, `Watcher` and `Process`, each usable on its own.

They are a face on the same engine that circusd runs. Called inside a running event loop, what
takes time gives something to await; called from ordinary code, it blocks until it is done, while
a loop in a thread of ours keeps watch (`portal.py`).
"""
