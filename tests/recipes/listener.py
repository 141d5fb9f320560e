"""Listens at a port until SIGUSR1, after which it is there and takes no connection."""

import signal
import socket
import sys

server = socket.socket()
signal.signal(signal.SIGUSR1, lambda *_: server.close())
server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
server.bind(("127.0.0.1", int(sys.argv[1])))
server.listen()
while True:
    try:
        server.accept()[0].close()
    except OSError:
        signal.pause()
