"""A daemon on a machine without pidfds: each end is heard by a thread.

python by_threads.py FILE
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys

from cvec_circus_core.daemon.config_source import Flags, read
from cvec_circus_core.daemon.logs import log_event, set_up
from cvec_circus_core.engine import Engine, Parts
from cvec_circus_core.extend.registry import load_commands
from cvec_circus_core.model.values import replace
from cvec_circus_core.policy.config_plan import Configuration
from cvec_circus_core.system.processes.local_owner import local_owner, thread_processes


async def run(file: str) -> None:
    """Run until SIGTERM."""
    loaded = read(Flags(config=file), os.environ)
    set_up(replace(loaded.arbiter, loglevel="debug"))
    parts = Parts(commands=load_commands(), owner=local_owner(thread_processes))
    engine = Engine(Configuration(loaded.arbiter, loaded.watchers), parts)
    engine.bus.listen("log", log_event)
    engine.serve()
    engine.loop.add_signal_handler(signal.SIGTERM, engine.supervisor.quit)
    engine.supervisor.start_all()
    print("Starting master", flush=True)
    await engine.supervisor.ended.wait()
    await engine.close()


if __name__ == "__main__":
    asyncio.run(run(sys.argv[1]))
