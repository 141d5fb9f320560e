"""Four workers, for ever: until Ctrl-C, SIGTERM, or `circusctl quit`."""

from cvec_circus_core import get_arbiter

arbiter = get_arbiter("sleep 3600", 4)
try:
    arbiter.start()
finally:
    arbiter.stop()
