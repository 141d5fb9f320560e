"""Inside a running event loop, what takes time is awaited; nothing blocks."""

import asyncio

from cvec_circus_core import Watcher


async def main() -> None:
    """Keep two workers for as long as the other work takes."""
    watcher = Watcher("sleepers", "sleep 3600", numprocesses=2)
    await watcher.start()
    try:
        print(watcher.status(), len(watcher))
        await watcher.restart()
        print(watcher.status(), len(watcher))
    finally:
        await watcher.stop()
    print(watcher.status(), len(watcher))


asyncio.run(main())
