"""Serves an ASGI application with uvicorn, and answers what it has accepted before it stops.

uvicorn by itself closes connections whose request it has not read yet.
"""

import asyncio
import sys

import uvicorn

TO_READ = 0.5
"""Seconds for requests to come on connections that are accepted already."""


class PatientServer(uvicorn.Server):
    async def shutdown(self, sockets=None):
        loop = asyncio.get_running_loop()
        for server in self.servers:
            for listening in server.sockets:
                # From now on the new processes accept; what waits in the queue is theirs.
                loop.remove_reader(listening.fileno())
        await asyncio.sleep(TO_READ)
        await super().shutdown(sockets)


if __name__ == "__main__":
    application, descriptor = sys.argv[1:]
    config = uvicorn.Config(application, fd=int(descriptor), loop="asyncio")
    PatientServer(config).run()
