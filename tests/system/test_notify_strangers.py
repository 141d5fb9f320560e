"""Others who speak on a notify socket are not heard, and do not fill the log."""

from __future__ import annotations

import asyncio
import logging
import socket
import subprocess
import sys

import pytest

from cvec_circus_core.model.text import LINES, LineQuota
from cvec_circus_core.system.processes.notify_sockets import NotifySocket

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="Linux only")


def test_a_flood_of_messages_of_another_process_is_told_a_few_times(
    caplog: pytest.LogCaptureFixture,
) -> None:
    heard: list[bytes] = []

    async def scene(pid: int) -> None:
        quota = LineQuota()
        loop = asyncio.get_running_loop()
        for _ in range(2):
            notify_socket = NotifySocket(loop, heard.append, quota)
            notify_socket.listen_to(pid)
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
                sender.connect("\0" + notify_socket.address[1:])
                for _ in range(40):
                    sender.send(b"READY=1\n\x1b[2J")
                    # The queue of a socket is short: let it be read.
                    await asyncio.sleep(0)
            notify_socket.close()

    with subprocess.Popen(["sleep", "60"]) as child, caplog.at_level(logging.WARNING):
        asyncio.run(asyncio.wait_for(scene(child.pid), 20))
        child.kill()
    assert heard == []
    assert len(caplog.messages) == LINES + 1
    assert "not told for a while" in caplog.messages[-1]
