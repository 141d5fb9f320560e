"""More shapes that public code has, each on the older release, too."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.compat.conftest import Library
from tests.compat.shapes import hook, play, plugin, stream

pytestmark = pytest.mark.live

SHAPES = {
    "a plugin that names its option first": plugin(
        """
        class Mine(CircusPlugin):
            name = "mine"
            def __init__(self, filename, **kwargs):
                super().__init__(**kwargs)
                note("filename", filename)
            def handle_init(self):
                note("init")
            def handle_recv(self, data):
                topic, msg = data
        """,
        "filename x",
        "init",
        options="filename = x",
    ),
    "a plugin with four arguments and a client of its own kind": plugin(
        """
        from circus.util import human2bytes, to_bool
        class Mine(CircusPlugin):
            name = "mine"
            def __init__(self, endpoint, pubsub_endpoint, check_delay, ssh_server, **config):
                super().__init__(endpoint, pubsub_endpoint, check_delay, ssh_server=ssh_server)
                note(human2bytes(config.get("limit")), to_bool(config.get("flag")), ssh_server)
                from circus.plugins.statsd import StatsdClient
                self.statsd = StatsdClient(host="localhost", port=8125, prefix="p", sample_rate=1.0)
            def handle_recv(self, data):
                watcher_name, action, msg = self.split_data(data)
                self.statsd.increment(f"{watcher_name}.{action}")
                if action == "spawn" and watcher_name == "short":
                    note("counted")
            def stop(self):
                self.statsd.stop()
                super().stop()
        """,
        "1048576 True None",
        "counted",
        options="limit = 1M\nflag = yes",
    ),
    "a plugin that reads self.config": plugin(
        """
        class Mine(CircusPlugin):
            name = "mine"
            def __init__(self, *args, **config):
                super().__init__(*args, **config)
                self.name = config.get("name")
                self.rate = float(self.config.get("loop_rate", 1)) * 1000
            def handle_init(self):
                note(self.name, self.rate, sorted(self.call("list")["watchers"])[:1])
            def handle_recv(self, data):
                pass
        """,
        "None 500.0 ['other']",
        options="loop_rate = 0.5",
    ),
    "a plugin with a timer that casts": plugin(
        """
        from circus import logger
        class Mine(CircusPlugin):
            name = "mine"
            def handle_init(self):
                self.timer = threading.Timer(0.2, self.later)
                self.timer.start()
            def later(self):
                logger.info("starting another")
                self.cast("start", name="other")
            def handle_recv(self, data):
                watcher, action, _ = self.split_data(data)
                if (watcher, action) == ("other", "start"):
                    note("other started")
            def handle_stop(self):
                self.timer.cancel()
        """,
        "other started",
    ),
    "a plugin whose initialize takes anything": plugin(
        """
        class Mine(CircusPlugin):
            name = "mine"
            def initialize(self, *args, **kwargs):
                super().initialize(*args, **kwargs)
                note("initialized", self.client is not None)
            def handle_recv(self, data):
                pass
        """,
        "initialized True",
    ),
    "an observer that looks at statistics": plugin(
        """
        from circus.plugins.statsd import BaseObserver
        class Mine(BaseObserver):
            name = "mine"
            def __init__(self, *args, **config):
                super().__init__(*args, **config)
                self.watcher = config.get("watcher", None)
                self.once = False
            def look_after(self):
                info = self.call("stats", name=self.watcher)
                if info["status"] == "error" or self.once:
                    return
                for pid, numbers in info["info"].items():
                    if isinstance(numbers, dict) and "cpu" in numbers:
                        self.once = True
                        note(int(pid) > 0, "mem" in numbers, "children" in numbers)
        """,
        "True True True",
        options="watcher = web\nloop_rate = 0.3",
    ),
    "an observer that needs an option and ends itself": plugin(
        """
        from circus.plugins.statsd import BaseObserver
        class Mine(BaseObserver):
            name = "mine"
            def __init__(self, *args, **config):
                super().__init__(*args, **config)
                if config.get("watcher") is None:
                    self.statsd.stop()
                    self.loop.close()
                    note("ended")
                    raise NotImplementedError("watcher is mandatory for now.")
        """,
        "ended",
    ),
    "a plugin that runs commands of its own": plugin(
        """
        import subprocess
        class Mine(CircusPlugin):
            name = "mine"
            def handle_init(self):
                note(subprocess.check_output(["echo", "said"], text=True).strip())
                note(self.call("incr", name="web", nb=1)["numprocesses"])
            def handle_recv(self, data):
                pass
        """,
        "said",
        "2",
    ),
    "a hook without further arguments": hook(
        "before_start",
        """
        def hook(watcher, arbiter, hook_name):
            time.sleep(0.1)
            note(hook_name)
            return True
        """,
        "before_start",
    ),
    "a hook that takes the environment from a command": hook(
        "before_spawn",
        """
        import subprocess
        def hook(watcher, arbiter, hook_name, **kwargs):
            command = dict(watcher.options())["env_command"]
            process = subprocess.Popen(["%s && env" % command], shell=True, env=watcher.env,
                                       stdout=subprocess.PIPE, universal_newlines=True)
            for line in process.communicate()[0].splitlines():
                name, found, value = line.partition("=")
                if found:
                    watcher.env[name] = value
            note(watcher.env["X"])
            return process.returncode == 0
        """,
        "computed",
    ),
    "a hook that tells another program": hook(
        "after_start",
        """
        from subprocess import call
        def hook(watcher, arbiter, hook_name, **kwargs):
            call("true {0}".format(watcher.name).split(" "))
            note(watcher.name, os.environ.get("PATH") is not None)
            return True
        """,
        "web True",
    ),
    "a hook that reads numbers and options": hook(
        "after_spawn",
        """
        def hook(watcher, arbiter, hook_name, pid, **kwargs):
            note(watcher.processes[pid].wid, int(watcher._options.get("stats_base_port", 8090)))
            note(len(watcher.processes) >= 1, watcher.singleton, watcher.cmd[:2])
            return True
        """,
        "1 8090",
        "True False sh",
    ),
    "a hook that is an object": hook(
        "before_start",
        """
        class Hook:
            def __call__(self, watcher, arbiter, hook_name, **kwargs):
                note("called", watcher.name)
                return True
        hook = Hook()
        """,
        "called web",
    ),
    "a hook that is a static method": hook(
        "before_start",
        """
        import functools
        def wanted(answer, watcher, arbiter, hook_name, **kwargs):
            note(answer, hook_name)
            return answer
        hook = functools.partial(wanted, True)
        """,
        "True before_start",
    ),
    "a stream that derives from the queue and overrides a call": stream(
        """
        from circus.stream import QueueStream
        class Mine(QueueStream):
            def __call__(self, data):
                super().__call__(data)
                if not self.empty():
                    note(self.get_nowait()["data"].strip())
        """,
        "b'computed'",
        options="hooks.before_spawn = shape.hook",
    ),
    "a stream of old style with close": stream(
        """
        class Mine(object):
            def __init__(self, **kwargs):
                note("made with", sorted(kwargs))
            def __call__(self, data):
                note(sorted(set(data) & {"pid", "name", "data"}))
            def close(self):
                note("closed")
        """,
        "made with ['label']",
        "['data', 'name', 'pid']",
        options="stdout_stream.label = x",
    ),
    "a stream that only passes on": stream(
        """
        import circus.stream.file_stream
        class Mine(circus.stream.file_stream.FileStream):
            pass
        def hook(watcher, arbiter, hook_name, **kwargs):
            note("passed on")
            return True
        """,
        "passed on",
        options="stdout_stream.filename = {folder}/out\nhooks.after_start = shape.hook",
    ),
    "a stream that writes JSON": stream(
        """
        import json
        class Mine:
            def __init__(self, *args, **kwargs):
                self.now = kwargs.get("now", "x")
            def __call__(self, data):
                note(json.dumps({"pid": data["pid"] > 0, "line": data["data"].decode().strip()}))
        """,
        '{"pid": true, "line": ""}',
    ),
}


NOT_THERE = (
    "a plugin that names its option first",
    "a plugin that reads self.config",
    "a plugin with a timer that casts",
    "a plugin that runs commands of its own",
)
"""What the older release does not do in the same way: it gives its arguments by position, and
answers no plugin while that is being made."""


@pytest.mark.parametrize("name", NOT_THERE)
def test_a_shape_of_ours(compat: Library, folder: Path, name: str) -> None:
    play(compat, folder, SHAPES[name])


@pytest.mark.parametrize("name", [name for name in SHAPES if name not in NOT_THERE])
def test_a_shape(library: Library, folder: Path, name: str) -> None:
    play(library, folder, SHAPES[name])
