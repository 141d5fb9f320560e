"""A watcher without arbiter and endpoints: start, count, signal, stop."""

from cvec_circus_core import Watcher

watcher = Watcher("sleepers", "sleep 3600", numprocesses=3)
watcher.start()
try:
    print(watcher.status(), len(watcher))
    watcher.decr()
    print(watcher.status(), len(watcher))
finally:
    watcher.stop()
print(watcher.status(), len(watcher))
