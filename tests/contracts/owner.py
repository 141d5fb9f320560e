"""A keeper's service in a process of its own, without a brain to look after.

Run as ``python -m tests.contracts.owner FD``. It serves one client over a socketpair, and ends when
the client says so.
"""

from __future__ import annotations

import asyncio
import socket
import sys

from cvec_circus_core.keeper.channel import BrainChannel
from cvec_circus_core.keeper.keeper_service import KeeperService
from cvec_circus_core.system.keeper_client.successor import SHARES
from cvec_circus_core.system.net.owned_sockets import OwnedSockets
from cvec_circus_core.system.processes.local_owner import choose_processes


async def serve(connection: socket.socket) -> None:
    """Serve a client until it says that it is over."""
    loop = asyncio.get_running_loop()
    over = asyncio.Event()
    sockets = OwnedSockets(loop)
    processes = choose_processes(loop, sockets=sockets)
    service = KeeperService(loop, processes, sockets, lambda _: over.set())
    channel = BrainChannel(loop, connection, service.hear)
    service.serve(channel, {SHARES: True})
    await over.wait()
    service.leave()
    channel.close()
    processes.close()
    sockets.close_all()


if __name__ == "__main__":
    asyncio.run(serve(socket.socket(fileno=int(sys.argv[1]))))
