"""Every option of a watcher is a keyword."""

from cvec_circus_core import get_arbiter

arbiter = get_arbiter("sleep 3600", numprocesses=3, graceful_timeout=5, env={"LANG": "C.UTF-8"})
try:
    arbiter.start()
finally:
    arbiter.stop()
