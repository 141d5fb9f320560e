"""Other users, made real: a process that becomes somebody else and then talks to the daemon.

    python others.py UID ask ENDPOINT        requests as JSON on stdin, a reply per line on stdout
    python others.py UID hear ENDPOINT [TOPIC]
                                             says "heard" or "turned away", then what came after
    python others.py UID flood ENDPOINT COUNT
                                             COUNT requests at once; prints the errnos
    python others.py UID storm ENDPOINT COUNT NAME
                                             COUNT connections, each closed as soon as it has sent
    python others.py UID hasty ENDPOINT COUNT NAME
                                             the same by ZeroMQ, with the key of the environment
    python others.py UID endless ENDPOINT MEGABYTES
                                             one message without an end; prints the megabytes that
                                             were taken of it
    python others.py UID crowd ENDPOINT COUNT
                                             COUNT connections that stay; prints how many may, and
                                             goes when stdin ends

Everything is imported before, since another user may not be able to read Python's own files. With
CURVE_KEYS in the environment, SERVER:PUBLIC:SECRET as hexadecimal digits, that key is shown.
"""

from __future__ import annotations

import encodings.idna  # noqa: F401 - see above
import json
import os
import pwd
import select
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import zmq
from zmq.utils.monitor import recv_monitor_message

LIMIT = 20.0
PATIENCE = 5.0
NO_ANSWER = 9
KEYS = "CURVE_KEYS"
_GONE = (zmq.EVENT_DISCONNECTED, zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL)
_NOT_LINGERING = struct.pack("ii", 1, 0)


def become(uid: int) -> None:
    """Be another user from now on, with that user's groups."""
    if uid == os.getuid():
        return
    try:
        account = pwd.getpwuid(uid)
        os.initgroups(account.pw_name, account.pw_gid)
        os.setgid(account.pw_gid)
    except KeyError:
        os.setgroups([])
        os.setgid(uid)
    os.setuid(uid)


def ask(endpoint: str) -> None:
    """Send requests one by one, and print the replies."""
    requests = json.load(sys.stdin)
    dealer: zmq.Socket[bytes] = zmq.Context.instance().socket(zmq.DEALER)
    dealer.linger = 0
    dealer.ipv6 = True
    show_key(dealer)
    dealer.connect(endpoint)
    for command, properties in requests:
        dealer.send(json.dumps({"command": command, "properties": properties}).encode())
        if not dealer.poll(int((PATIENCE if KEYS in os.environ else LIMIT) * 1000)):
            sys.exit(NO_ANSWER)
        print(dealer.recv().decode(), flush=True)
    dealer.close()


def flood(endpoint: str, count: int) -> None:
    """Send requests as fast as can be, and count the answers."""
    dealer: zmq.Socket[bytes] = zmq.Context.instance().socket(zmq.DEALER)
    dealer.linger = 0
    dealer.sndhwm = dealer.rcvhwm = 0
    dealer.connect(endpoint)
    for number in range(count):
        dealer.send(json.dumps({"command": "list", "id": number}).encode())
    found: dict[str, int] = {}
    while dealer.poll(1500):
        errno = str(json.loads(dealer.recv()).get("errno"))
        found[errno] = found.get(errno, 0) + 1
    print(json.dumps(found), flush=True)
    dealer.close()


def hear(endpoint: str, topic: str = "") -> None:
    """Subscribe to everything that begins so, and tell how that goes."""
    subscriber: zmq.Socket[bytes] = zmq.Context.instance().socket(zmq.SUB)
    subscriber.ipv6 = True
    show_key(subscriber)
    subscriber.subscribe(topic)
    monitor = subscriber.get_monitor_socket()
    subscriber.connect(endpoint)
    poller = zmq.Poller()
    poller.register(subscriber, zmq.POLLIN)
    poller.register(monitor, zmq.POLLIN)
    turned_away, until = 0, time.monotonic() + LIMIT
    while turned_away < 5 and time.monotonic() < until:
        ready = dict(poller.poll(1000))
        if subscriber in ready:
            print("heard", subscriber.recv_multipart()[0].decode(), flush=True)
            break
        if monitor in ready:
            event = recv_monitor_message(monitor)["event"]
            # Who shows a wrong key is told so, and does not try again.
            turned_away += 5 if event == zmq.EVENT_HANDSHAKE_FAILED_AUTH else event in _GONE
    else:
        print("turned away", flush=True)
        sys.stdin.readline()
        print(subscriber.poll(0), flush=True)
    os._exit(0)


def show_key(shown: zmq.Socket[bytes]) -> None:
    """Show the key that the environment holds, if it holds one."""
    if KEYS in os.environ:
        server, public, secret = map(bytes.fromhex, os.environ[KEYS].split(":"))
        shown.curve_serverkey, shown.curve_publickey = server, public
        shown.curve_secretkey = secret


def storm(endpoint: str, count: int, name: str) -> None:
    """Connect, send a whole conversation at once, and hang up, again and again."""
    for number in range(count):
        body = {"command": "add", "properties": {"name": f"{name}-{number}", "cmd": "true"}}
        one = connected(endpoint)
        try:
            send(one, {**body, "msg_type": "cast"})
        except OSError:
            pass
        if number % 3 == 0:
            one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NOT_LINGERING)
        elif number % 3 == 1:
            one.shutdown(socket.SHUT_WR)
        one.close()
    print(count, flush=True)


def hasty(endpoint: str, count: int, name: str) -> None:
    """Show a key, send a command, and hang up at once or a moment later, again and again."""
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context.instance()
    for number in range(count):
        one = context.socket(zmq.DEALER)
        one.linger = number % 5
        show_key(one)
        one.connect(endpoint)
        body = {"command": "add", "properties": {"name": f"{name}-{number}", "cmd": "true"}}
        one.send(json.dumps({**body, "msg_type": "cast"}).encode())
        one.close()
        if number % 50 == 49:
            time.sleep(0.05)
    context.term()
    print(count, flush=True)


def endless(endpoint: str, megabytes: int) -> None:
    """Send parts of a message, and more, and more."""
    part = b"\x03" + struct.pack(">Q", 1 << 16) + bytes(1 << 16)
    one = connected(endpoint)
    sent = 0
    try:
        send(one, {"command": "list"})
        while sent < megabytes << 20:
            sent += one.send(part)
    except OSError:
        pass
    print(sent >> 20, flush=True)
    one.close()


def crowd(endpoint: str, count: int) -> None:
    """Connect, and stay; tell how many are not sent away, again and again."""
    those = [connected(endpoint) for _ in range(count)]
    for one in those:
        with suppress(OSError):
            one.sendall(GREETING)
        one.setblocking(False)
    while not select.select([sys.stdin], [], [], 0.05)[0]:
        those = [one for one in those if is_open(one)]
        print(len(those), flush=True)


def is_open(one: socket.socket) -> bool:
    """Take what has come, and tell whether more may come."""
    try:
        while one.recv(4096):
            pass
    except BlockingIOError:
        return True
    except OSError:
        pass
    return False


def connected(endpoint: str) -> socket.socket:
    """Return a plain socket that is connected to a ZeroMQ endpoint."""
    transport, _, place = endpoint.partition("://")
    if transport == "ipc":
        one = socket.socket(socket.AF_UNIX)
        one.connect(place)
        return one
    host, _, port = place.rpartition(":")
    return socket.create_connection((host.strip("[]"), int(port)), 20)


GREETING = b"\xff" + bytes(8) + b"\x7f\x03\x00NULL".ljust(23, b"\0") + bytes(32)
READY = b"\x05READY\x0bSocket-Type\0\0\0\x06DEALER"


def send(one: socket.socket, request: dict[str, Any]) -> None:
    """Send a request as soon as libzmq takes it: when the hands are shaken (ZMTP 3.0)."""
    one.sendall(GREETING)
    heard = b""
    while len(heard) < len(GREETING):
        heard += received(one)
    one.sendall(b"\x04" + bytes([len(READY)]) + READY)
    while b"Identity" not in heard:
        heard += received(one)
    body = json.dumps(request).encode()
    one.sendall(b"\x02" + struct.pack(">Q", len(body)) + body)


def received(one: socket.socket) -> bytes:
    """Return what has come, at least one byte. Raises OSError at the end."""
    found = one.recv(4096)
    if not found:
        raise ConnectionError("the other side has hung up")
    return found


class Other:
    """One process of another user."""

    def __init__(self, uid: int, *words: object, keys: str | None = None) -> None:
        command = [sys.executable, __file__, str(uid), *map(str, words)]
        environment = {**os.environ, KEYS: keys} if keys else None
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
        )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self.said = self._process.stdout
        self.told = self._process.stdin

    def asks(self, requests: Sequence[tuple[str, dict[str, Any]]]) -> list[dict[str, Any]]:
        """Return the replies to some requests."""
        out, _ = self._process.communicate(json.dumps(requests), timeout=60)
        assert self._process.returncode == 0
        return [json.loads(line) for line in out.splitlines()]

    def gets_no_answer(self) -> bool:
        """Tell whether it asks in vain."""
        self._process.communicate(json.dumps([("list", {})]), timeout=60)
        return self._process.returncode == NO_ANSWER

    def wait(self) -> str:
        """Return the rest of what it says, once it has ended."""
        out, _ = self._process.communicate(timeout=60)
        assert self._process.returncode == 0
        return out

    def kill(self) -> None:
        """End it, whatever it does."""
        if self._process.poll() is None:
            self._process.kill()
            self._process.communicate()


if __name__ == "__main__":
    become(int(sys.argv[1]))
    match sys.argv[2:]:
        case ["ask", endpoint]:
            ask(endpoint)
        case ["hear", endpoint, *topic]:
            hear(endpoint, *topic)
        case ["flood", endpoint, count]:
            flood(endpoint, int(count))
        case ["storm", endpoint, count, name]:
            storm(endpoint, int(count), name)
        case ["hasty", endpoint, count, name]:
            hasty(endpoint, int(count), name)
        case ["endless", endpoint, megabytes]:
            endless(endpoint, int(megabytes))
        case ["crowd", endpoint, count]:
            crowd(endpoint, int(count))
