"""Several watchers, each described by a mapping, in the background of a program with other work."""

from cvec_circus_core import get_arbiter

arbiter = get_arbiter(
    [
        {"name": "web", "cmd": "sleep 3600", "numprocesses": 2, "priority": 10},
        {"name": "mail", "cmd": "sleep", "args": ["7200"]},
    ],
    background=True,
)
arbiter.start()
try:
    arbiter.start_watchers()  # returns when all processes are there
    print("watchers:", arbiter.numwatchers())
    print("processes:", arbiter.numprocesses())
    arbiter.get_watcher("web").incr()
    print("processes:", arbiter.numprocesses())
finally:
    arbiter.stop()
