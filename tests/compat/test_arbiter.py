"""An arbiter inside a program, used as programs for the older library use theirs."""

from __future__ import annotations

import textwrap
from pathlib import Path

import pytest

from tests.compat.conftest import Library

pytestmark = pytest.mark.live

HEAD = """
import socket, threading, time, os, signal, sys, asyncio, logging
from circus import get_arbiter
from circus.arbiter import Arbiter, ThreadedArbiter
from circus.client import CircusClient
from circus.exc import CallError
from circus.sockets import CircusSocket
from circus.util import check_future_exception_and_log
from circus.watcher import Watcher
logging.disable(logging.CRITICAL)

def free():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return f"tcp://127.0.0.1:{one.getsockname()[1]}"

ENDPOINT, PUBSUB = free(), free()
AT = {"controller": ENDPOINT, "pubsub_endpoint": PUBSUB, "check_delay": 0.2}

def until(fact, limit=20):
    end = time.monotonic() + limit
    while not fact():
        assert time.monotonic() < end, "it never came true"
        time.sleep(0.01)

def ask(command, **props):
    client = CircusClient(endpoint=ENDPOINT, timeout=10)
    try:
        return client.send_message(command, **props)
    finally:
        client.stop()

def quit():
    # The older daemon refuses while it looks after its watchers.
    until(lambda: ask("quit", waiting=True)["status"] == "ok")

def meanwhile(work):
    def run():
        try:
            work()
        except BaseException as error:
            print("failed:", repr(error), flush=True)
            os._exit(1)
    thread = threading.Thread(target=run)
    thread.start()
    return thread

def active(arbiter, *names):
    def are_active():
        try:
            return all(arbiter.get_watcher(name).status() == "active" for name in names)
        except KeyError:  # the older one knows them by name once it has started
            return False
    until(are_active)
"""

PROGRAMS = {
    "start blocks, calls back, and gives a future that is done": (
        """
        arbiter = get_arbiter([{"cmd": "sleep 100", "name": "web"}], **AT)
        print(arbiter.pidfile, arbiter.loggerconfig, arbiter.endpoint == ENDPOINT)
        print(arbiter.pubsub_endpoint == PUBSUB, arbiter._restarting, arbiter.running)
        called = []
        def work():
            until(lambda: called)
            active(arbiter, "web")
            print(called[0].done(), arbiter.running, ask("status", name="web")["status"])
            quit()
        thread = meanwhile(work)
        future = arbiter.start(called.append)
        thread.join()
        print(future.done(), future.exception(), check_future_exception_and_log(future))
        print(arbiter._restarting, arbiter.running)
        """,
        "None None True",
        "True False False",
        "True True active",
        "True None None",
        "False False",
    ),
    "its loop takes callbacks from other threads": (
        """
        arbiter = Arbiter([Watcher("web", "sleep 100")], ENDPOINT, PUBSUB, check_delay=0.2)
        def work():
            active(arbiter, "web")
            happened = threading.Event()
            arbiter.loop.add_callback(happened.set)
            print(happened.wait(10))
            arbiter.loop.add_callback(arbiter.stop)
        thread = meanwhile(work)
        arbiter.start()
        thread.join()
        print(arbiter.running)
        """,
        "True",
        "False",
    ),
    "the list of watchers is the program's own": (
        """
        first = Watcher("first", "sleep 100")
        watchers = [first]
        arbiter = Arbiter(watchers, ENDPOINT, PUBSUB, check_delay=0.2)
        watchers.append(Watcher("second", "sleep 100"))
        def work():
            active(arbiter, "first", "second")
            print(arbiter.watchers is watchers, arbiter.get_watcher("first") is first)
            print(sorted(watcher.name for watcher in arbiter.iter_watchers()))
            print(arbiter.numwatchers(), arbiter.numprocesses(), arbiter.statuses())
            quit()
        thread = meanwhile(work)
        arbiter.start()
        thread.join()
        """,
        "True True",
        "['first', 'second']",
        "2 2 {'first': 'active', 'second': 'active'}",
    ),
    "options of a watcher are attributes that can be set": (
        """
        watcher = Watcher("web", "sleep", args=["100"], env={"A": "1"}, copy_env=True, my_own="x")
        watcher.numprocesses = 2
        watcher.graceful_timeout = 1
        watcher.env["B"] = "2"
        arbiter = Arbiter([watcher], ENDPOINT, PUBSUB, check_delay=0.2)
        def work():
            active(arbiter, "web")
            until(lambda: len(watcher.processes) == 2)
            print(watcher.args, watcher.numprocesses, int(watcher.graceful_timeout))
            print(watcher.env["A"], watcher.env["B"], "PATH" in watcher.env)
            print(watcher._options["my_own"], dict(watcher.options())["my_own"])
            pid = watcher.get_active_pids()[0]
            text = open(f"/proc/{pid}/environ").read().split(chr(0))
            print("A=1" in text, "B=2" in text)
            quit()
        thread = meanwhile(work)
        arbiter.start()
        thread.join()
        """,
        "['100'] 2 1",
        "1 2 True",
        "x x",
        "True True",
    ),
    "the program's socket objects are bound": (
        """
        web = CircusSocket("web", host="127.0.0.1", port=0)
        watcher = Watcher("web", "sleep 100", use_sockets=True)
        arbiter = Arbiter([watcher], ENDPOINT, PUBSUB, check_delay=0.2, sockets=[web])
        def work():
            active(arbiter, "web")
            print(web.port != 0, web.getsockname()[1] == web.port)
            with socket.create_connection(("127.0.0.1", web.port), timeout=10):
                print("connected", arbiter.get_socket("web") is web)
            quit()
        thread = meanwhile(work)
        arbiter.start()
        thread.join()
        """,
        "True True",
        "connected True",
    ),
    "a signal and the command quit go through an overridden stop": (
        """
        class Mine(Arbiter):
            def stop(self):
                print("stop", flush=True)
                return super().stop()
        for end in (lambda: os.kill(os.getpid(), signal.SIGTERM), lambda: ask("quit")):
            arbiter = Mine([Watcher("web", "sleep 100")], ENDPOINT, PUBSUB, check_delay=30)
            def work():
                active(arbiter, "web")
                time.sleep(0.3)
                end()
            thread = meanwhile(work)
            arbiter.start()
            thread.join()
        """,
        "stop",
        "stop",
    ),
    "a loop of one's own does not block": (
        """
        from tornado.ioloop import IOLoop
        loop = IOLoop(make_current=False)
        arbiter = Arbiter(
            [Watcher("web", "sleep 100")], ENDPOINT, PUBSUB, check_delay=0.2, loop=loop
        )
        def begin():
            future = arbiter.start()
            print(future is not None, arbiter.loop is loop)
        loop.add_callback(begin)
        def work():
            active(arbiter, "web")
            loop.add_callback(arbiter.stop)
            until(lambda: not arbiter.running)
            loop.add_callback(loop.stop)
        thread = meanwhile(work)
        loop.start()
        thread.join()
        print("over")
        """,
        "True True",
        "over",
    ),
}
"""What holds on the older release, too."""


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_program(library: Library, name: str, tmp_path: Path) -> None:
    program, *lines = PROGRAMS[name]
    assert library.lines(HEAD + textwrap.dedent(program), cwd=tmp_path) == lines


OURS = {
    "in the background": (
        """
        arbiter = get_arbiter([{"cmd": "sleep 100", "name": "web"}], background=True, **AT)
        print(isinstance(arbiter, ThreadedArbiter), isinstance(arbiter, threading.Thread))
        arbiter.start()
        active(arbiter, "web")
        arbiter.stop()
        print(arbiter.is_alive(), arbiter.running)
        """,
        "True True",
        "False False",
    ),
    "a thread of one's own around it": (
        """
        class Threaded(Arbiter, threading.Thread):
            def __init__(self, *args, **options):
                Arbiter.__init__(self, *args, **options)
                threading.Thread.__init__(self, daemon=True)
            def start(self, cb=None):
                threading.Thread.start(self)
            def run(self):
                self.loop = None
                self.ctrl.loop = self._ensure_ioloop()
                Arbiter.start(self)
            def stop(self):
                self.loop.add_callback(Arbiter.stop, self)
                threading.Thread.join(self)
        arbiter = Threaded([Watcher("web", "sleep 100")], ENDPOINT, PUBSUB)
        arbiter.start()
        until(lambda: arbiter.running)
        print(arbiter.statuses())
        arbiter.stop()
        print(arbiter.running)
        """,
        "{'web': 'active'}",
        "False",
    ),
    "an arbiter that could not start is stopped": (
        """
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            at = f"tcp://127.0.0.1:{taken.getsockname()[1]}"
            arbiter = Arbiter([Watcher("web", "sleep 100")], at, PUBSUB)
            try:
                arbiter.start()
            except Exception as error:
                print("in use" in str(error))
                arbiter.loop.run_sync(arbiter._emergency_stop)
        print(arbiter.running)
        """,
        "True",
        "False",
    ),
    "a command of the program's own": (
        """
        from circus.commands.base import Command
        class Greet(Command):
            '''Greet'''
            name = "greet"
            properties = ["who"]
            def execute(self, arbiter, props):
                return {"greeting": f"{props['who']} of {arbiter.numprocesses()}"}
        arbiter = Arbiter([Watcher("web", "sleep 100")], ENDPOINT, PUBSUB)
        def work():
            active(arbiter, "web")
            print(ask("greet", who="you")["greeting"], ask("greet")["reason"])
            quit()
        thread = meanwhile(work)
        arbiter.start()
        thread.join()
        """,
        "you of 1 message invalid 'who' is missing",
    ),
    "what is appended while it runs is started": (
        """
        watchers = [Watcher("first", "sleep 100")]
        arbiter = Arbiter(watchers, ENDPOINT, PUBSUB, check_delay=0.2)
        def work():
            active(arbiter, "first")
            watchers.append(Watcher("second", "sleep 100"))
            until(lambda: ask("status").get("statuses", {}).get("second") == "active")
            watchers[1].numprocesses = 2
            until(lambda: ask("list", name="second").get("pids", [])[1:])
            quit()
            print(sorted(watcher.name for watcher in arbiter.watchers))
        thread = meanwhile(work)
        arbiter.start()
        thread.join()
        """,
        "['first', 'second']",
    ),
    "started in a loop that runs": (
        """
        async def main():
            arbiter = Arbiter([Watcher("web", "sleep 100")], ENDPOINT, PUBSUB)
            run = await arbiter.start()
            print(arbiter.statuses())
            arbiter.loop.add_callback(arbiter.stop)
            await run
            print(arbiter.running)
        asyncio.run(main())
        """,
        "{'web': 'active'}",
        "False",
    ),
    "loggers named circus hear what ours say": (
        """
        logging.disable(logging.NOTSET)
        from circus import logger
        from circus.util import configure_logger
        configure_logger(logger, "INFO", "here.log")
        arbiter = Arbiter([Watcher("web", "sleep 100")], ENDPOINT, PUBSUB)
        thread = meanwhile(lambda: (active(arbiter, "web"), quit()))
        arbiter.start()
        thread.join()
        print("quit" in open("here.log").read())
        """,
        "True",
    ),
}
"""What the older release has no more, or never had as it is written here."""


@pytest.mark.parametrize("name", OURS)
def test_a_program_on_ours(compat: Library, name: str, tmp_path: Path) -> None:
    program, *lines = OURS[name]
    assert compat.lines(HEAD + textwrap.dedent(program), cwd=tmp_path) == lines
