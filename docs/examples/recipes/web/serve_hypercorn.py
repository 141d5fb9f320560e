"""Serves an ASGI application with hypercorn, and answers what it has accepted before it stops.

hypercorn by itself closes connections whose request it has not read yet.
"""

import asyncio
import importlib
import signal
import sys

from hypercorn.asyncio import serve
from hypercorn.config import Config

TO_READ = 0.5
"""Seconds for requests to come on connections that are accepted already."""


async def main(application, descriptor):
    loop = asyncio.get_running_loop()
    told_to_stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, told_to_stop.set)

    async def until_idle():
        await told_to_stop.wait()
        # From now on the new processes accept; what waits in the queue is theirs.
        loop.remove_reader(descriptor)
        await asyncio.sleep(TO_READ)

    config = Config()
    config.bind = [f"fd://{descriptor}"]
    await serve(application, config, shutdown_trigger=until_idle)


if __name__ == "__main__":
    module, _, name = sys.argv[1].partition(":")
    sys.path.insert(0, "")
    asyncio.run(main(getattr(importlib.import_module(module), name), int(sys.argv[2])))
