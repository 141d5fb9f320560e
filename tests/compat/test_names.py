"""Every name that public programs were seen to use: it is there, and does what they do with it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.compat.conftest import Library

NAMES_BY_MODULE = {
    "circus": "get_arbiter logger __version__",
    "circus.arbiter": "Arbiter ThreadedArbiter",
    "circus.circusctl": "main",
    "circus.circusd": "daemonize get_maxfd main",
    "circus.client": "AsyncCircusClient CircusClient make_message",
    "circus.commands": "get_commands",
    "circus.commands.base": "Command",
    "circus.config": "get_config",
    "circus.consumer": "CircusConsumer",
    "circus.exc": "AlreadyExist ArgumentError CallError ConflictError MessageError",
    "circus.pidfile": "Pidfile",
    "circus.plugins": "CircusPlugin get_plugin_cmd",
    "circus.plugins.command_reloader": "CommandReloader",
    "circus.plugins.flapping": "Flapping",
    "circus.plugins.resource_watcher": "ResourceWatcher",
    "circus.plugins.watchdog": "WatchDog",
    "circus.plugins.statsd": "BaseObserver FullStats StatsdClient StatsdEmitter",
    "circus.process": "Process RUNNING DEAD_OR_ZOMBIE UNEXISTING OTHER",
    "circus.sockets": "CircusSocket CircusSockets",
    "circus.stats.client": "StatsClient",
    "circus.stream": (
        "FancyStdoutStream FileStream QueueStream StdoutStream TimedRotatingFileStream "
        "WatchedFileStream get_stream"
    ),
    "circus.stream.file_stream": "FileStream",
    "circus.util": (
        "DEFAULT_ENDPOINT_DEALER DEFAULT_ENDPOINT_MULTICAST DEFAULT_ENDPOINT_STATS "
        "DEFAULT_ENDPOINT_SUB LOG_LEVELS check_future_exception_and_log configure_logger "
        "get_connection human2bytes to_str"
    ),
    "circus.watcher": "Watcher",
}
NAMES = [f"{module}.{name}" for module, names in NAMES_BY_MODULE.items() for name in names.split()]

FIND = """
import sys, importlib
for name in sys.argv[1:]:
    module, _, last = name.rpartition(".")
    if not hasattr(importlib.import_module(module), last):
        print(name)
"""


def test_every_name_is_there(library: Library, tmp_path: Path) -> None:
    assert library.lines(FIND, *NAMES, cwd=tmp_path) == []


def test_a_name_that_the_last_release_had_no_more(compat: Library, tmp_path: Path) -> None:
    program = "from circus import version_info, __version__; print(version_info, __version__)"
    assert compat.lines(program, cwd=tmp_path) == ["(0, 19, 0) 0.19.0"]


USES = {
    "conversions": (
        """
        from circus.util import LOG_LEVELS, human2bytes, to_bool, to_str
        print(human2bytes("1K"), human2bytes("2.5M"), to_str(b"a"), to_bool("yes"))
        print(LOG_LEVELS["warning"], sorted(LOG_LEVELS))
        """,
        "1024 2621440 a True",
        "30 ['critical', 'debug', 'error', 'info', 'warning']",
    ),
    "errors": (
        """
        from circus.exc import AlreadyExist, ArgumentError, CallError, ConflictError, MessageError
        for kind in (ArgumentError, CallError, MessageError):
            try:
                raise kind("so it is")
            except Exception as error:
                print(type(error) is kind, error)
        print(all(issubclass(kind, Exception) for kind in (AlreadyExist, ConflictError)))
        """,
        *["True so it is"] * 3,
        "True",
    ),
    "messages": (
        """
        import json
        from circus.client import make_json, make_message
        print(make_message("incr", name="web", nb=2))
        print(json.loads(make_json("list")))
        """,
        "{'command': 'incr', 'properties': {'name': 'web', 'nb': 2}}",
        "{'command': 'list', 'properties': {}}",
    ),
    "commands": (
        """
        from circus.commands import get_commands
        from circus.exc import MessageError
        commands = get_commands()
        print({"incr", "signal", "quit", "set"} <= set(commands), commands["stop"].name)
        print(commands["incr"].message("web", "2"))
        print(sorted(commands["stop"].message("web", waiting=True)["properties"].items()))
        print(commands["set"].message("web", "numprocesses", "3"))
        print(commands["status"].message(), commands["incr"].properties)
        print(commands["incr"].console_msg({"status": "ok", "numprocesses": 2}))
        print(commands["incr"].console_msg({"status": "error", "reason": "no", "errno": 1}))
        try:
            commands["incr"].validate({})
        except MessageError as error:
            print(error)
        """,
        "True stop",
        "{'command': 'incr', 'properties': {'name': 'web', 'nb': 2}}",
        "[('name', 'web'), ('waiting', True)]",
        "{'command': 'set', 'properties': {'name': 'web', 'options': {'numprocesses': 3}}}",
        "{'command': 'status', 'properties': {}} ['name']",
        "2",
        "error: no",
        "message invalid 'name' is missing",
    ),
    "a command of one's own": (
        """
        from circus.commands import get_commands
        from circus.commands.base import Command
        class Hello(Command):
            '''Say hello'''
            name = "hello"
            properties = ["who"]
            def message(self, *args, **opts):
                return self.make_message(who=args[0])
        print(get_commands()["hello"].message("you"))
        """,
        "{'command': 'hello', 'properties': {'who': 'you'}}",
    ),
    "a pid file": (
        """
        import os
        from circus.pidfile import Pidfile
        file = Pidfile("here.pid")
        file.create(os.getpid())
        print(open("here.pid").read() == f"{os.getpid()}\\n", file.validate() == os.getpid())
        try:
            Pidfile("here.pid").create(1)
        except RuntimeError as error:
            print(str(error).replace(os.getcwd(), ""))
        file.rename("there.pid")
        print(file.fname, sorted(os.listdir()))
        file.unlink()
        open("stale.pid", "w").write("999999999")
        Pidfile("stale.pid").create(os.getpid())
        print(sorted(os.listdir()))
        """,
        "True True",
        "pid file 'here.pid' is stale, current pid 1",
        "there.pid ['there.pid']",
        "['stale.pid']",
    ),
    "a configured logger": (
        """
        import logging
        from circus import logger
        from circus.util import configure_logger
        configure_logger(logger, "WARNING", "here.log")
        logger.warning("a warning")
        logger.info("for nobody")
        logging.getLogger("circus.plugins").error("from below")
        lines = open("here.log").read().splitlines()
        print(logger.name, [line.rpartition("] ")[2] for line in lines])
        """,
        "circus ['a warning', 'from below']",
    ),
    "futures": (
        """
        import asyncio, logging
        from circus.util import check_future_exception_and_log
        logging.getLogger("circus").disabled = True
        async def main():
            future = asyncio.get_running_loop().create_future()
            future.set_exception(ValueError("bad"))
            print(repr(check_future_exception_and_log(future)))
            good = asyncio.get_running_loop().create_future()
            good.set_result(True)
            print(check_future_exception_and_log(good))
        asyncio.run(main())
        """,
        "ValueError('bad')",
        "None",
    ),
    "a process": (
        """
        from circus.process import Process, RUNNING, UNEXISTING
        process = Process("sleeper", 3, "sleep", args=["100"], env={"PATH": "/usr/bin:/bin"})
        print(process.name, process.wid, process.cmd, process.is_alive(), process.age() < 5)
        print(process.status == RUNNING, process.children(), process.pid > 0)
        process.stop()
        process.wait()
        print(process.is_alive())
        """,
        "sleeper 3 sleep True True",
        "True [] True",
        "False",
    ),
    "a socket": (
        """
        from circus.sockets import CircusSocket
        socket = CircusSocket(name="web", host="127.0.0.1", port=0)
        socket.bind_and_listen()
        print(socket.name, socket.port == socket.getsockname()[1] != 0, socket.fileno() > 0)
        socket.close()
        """,
        "web True True",
    ),
    "a configuration": (
        """
        from circus.config import get_config
        with open("circus.ini", "w") as file:
            file.write('''
        [circus]
        endpoint = tcp://127.0.0.1:9999
        [watcher:a]
        cmd = sleep 1
        numprocesses = 3
        foo.bar = 2
        [socket:s]
        port = 0
        [plugin:p]
        use = circus.plugins.flapping.Flapping
        x = 1
        '''.replace("        ", ""))
        config = get_config("circus.ini")
        print(config["endpoint"], config["stats_endpoint"], config["check_delay"])
        watcher = config["watchers"][0]
        print(watcher["name"], watcher["cmd"], watcher["numprocesses"], watcher["foo.bar"])
        print(config["plugins"][0]["use"], config["plugins"][0]["x"], config["sockets"][0]["name"])
        """,
        "tcp://127.0.0.1:9999 tcp://127.0.0.1:5557 5.0",
        "a sleep 1 3 2",
        "circus.plugins.flapping.Flapping 1 s",
    ),
    "the command of a plugin": (
        """
        from circus.plugins import get_plugin_cmd
        use = "circus.plugins.flapping.Flapping"
        command = get_plugin_cmd({"use": use, "x": "1"}, "tcp://a:1", "tcp://a:2", 5.0, None)
        print("--endpoint tcp://a:1" in command, "--pubsub tcp://a:2" in command)
        print(command.endswith(use))
        try:
            get_plugin_cmd({"use": "no.such.Class"}, "tcp://a:1", "tcp://a:2", 5.0, None)
        except Exception:
            print("refused")
        """,
        "True True",
        "True",
        "refused",
    ),
    "streams": (
        """
        from circus.stream import FileStream, QueueStream, get_stream
        stream = FileStream("out.log", time_format="%Y")
        stream.open()
        stream({"pid": 7, "name": "stdout", "data": b"hello\\n"})
        stream.close()
        print(open("out.log").read()[4:].strip())
        for conf in ({"filename": "x.log"}, {"class": "QueueStream"}, {}, {"stream": print}):
            stream = get_stream(conf)
            print(type(stream).__name__)
        queue = QueueStream()
        queue({"data": b"x"})
        print(queue.qsize(), queue.empty(), queue.get_nowait(), queue.empty())
        queue.put({"data": b"y"})
        print(queue.get())
        """,
        "[7] | hello",
        *("FileStream", "QueueStream", "NoneType", "builtin_function_or_method"),
        "1 False {'data': b'x'} True",
        "{'data': b'y'}",
    ),
}


@pytest.mark.parametrize("name", USES)
def test_what_programs_do_with_them(library: Library, name: str, tmp_path: Path) -> None:
    program, *lines = USES[name]
    text = "\n".join(line.removeprefix(" " * 8) for line in program.splitlines())
    assert library.lines(text, cwd=tmp_path) == lines
