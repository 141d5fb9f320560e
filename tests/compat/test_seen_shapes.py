"""Shapes that hooks, plugins and streams of public projects were seen to have, written anew."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.compat.conftest import Library
from tests.compat.shapes import hook, play, plugin, stream

pytestmark = pytest.mark.live

SHAPES = {
    "a hook whose thread starts another watcher when nothing is busy any more": hook(
        "after_spawn",
        """
        def send_command(command):
            def send():
                for _ in range(30):
                    time.sleep(0.3)
                    try:
                        command()
                        break
                    except Exception:
                        pass
                note("sent")
            threading.Thread(target=send, daemon=True).start()
        def hook(watcher, arbiter, hook_name, **kwargs):
            send_command(arbiter.get_watcher("other").start)
            return True
        """,
        "sent",
    ),
    "a hook that asks a client of its own from a thread": hook(
        "after_start",
        """
        from circus.client import CircusClient
        def look(endpoint):
            client = CircusClient(endpoint=endpoint, timeout=20)
            while client.send_message("status", name="web")["status"] != "active":
                time.sleep(0.1)
            note("active", client.send_message("numprocesses", name="web")["numprocesses"])
            client.stop()
        def hook(watcher, arbiter, hook_name, **kwargs):
            threading.Thread(target=look, args=(arbiter.endpoint,), daemon=True).start()
            return True
        """,
        "active 1",
    ),
    "a hook that runs circusctl and does not wait for it": hook(
        "after_start",
        """
        import subprocess, sys
        def hook(watcher, arbiter, hook_name, **kwargs):
            program = [sys.executable, "-m", "circus.circusctl", "--timeout", "30"]
            words = ["--endpoint", arbiter.endpoint, "list"]
            text = os.path.join(os.path.dirname(__file__), "notes")
            subprocess.Popen([*program, *words], stdout=open(text, "a"))
            return True
        """,
        "other,short,web",
    ),
    "a hook that adds to extended statistics": hook(
        "extended_stats",
        """
        from circus.client import CircusClient
        def ask():
            client = CircusClient(endpoint=f"ipc://{os.path.dirname(__file__)}/c", timeout=20)
            while True:
                reply = client.send_message("stats", name="web", extended=True)
                for info in reply.get("info", {}).values():
                    if isinstance(info, dict) and "load" in info:
                        note("load", info["load"])
                        return
                time.sleep(0.2)
        def begin(watcher, arbiter, hook_name, **kwargs):
            threading.Thread(target=ask, daemon=True).start()
            return True
        def hook(watcher, arbiter, hook_name, pid, stats, **kwargs):
            wid = watcher.processes[pid].wid
            stats["load"] = int(watcher._options.get("stats_base_port", 8090)) + wid
            return True
        """,
        "load 9001",
    )._replace(options="hooks.extended_stats = shape.hook\nstats_base_port = 9000"),
    "a hook that counts the other processes before a signal": hook(
        "before_signal",
        """
        from circus.client import CircusClient
        def ask():
            client = CircusClient(endpoint=f"ipc://{os.path.dirname(__file__)}/c", timeout=20)
            while client.send_message("status", name="web").get("status") != "active":
                time.sleep(0.2)
            client.send_message("signal", name="web", signum="CONT")
        def begin(watcher, arbiter, hook_name, **kwargs):
            threading.Thread(target=ask, daemon=True).start()
            return True
        def hook(watcher, arbiter, hook_name, pid, signum, **kwargs):
            started = watcher.processes[pid].started
            newer = [p for p, w in watcher.processes.items() if p != pid and w.started > started]
            more = len(watcher.processes) > watcher.numprocesses
            note(hook_name, int(signum), len(newer), more)
            return True
        """,
        "before_signal 18 0 False",
    ),
    "a hook that takes its watcher out of the arbiter": hook(
        "after_stop",
        """
        from circus.client import CircusClient
        def ask():
            client = CircusClient(endpoint=f"ipc://{os.path.dirname(__file__)}/c", timeout=20)
            while client.send_message("status", name="web").get("status") != "active":
                time.sleep(0.2)
            while client.send_message("stop", name="web").get("status") != "ok":
                time.sleep(0.2)
            while "web" in client.send_message("list")["watchers"]:
                time.sleep(0.2)
            note("out")
        def begin(watcher, arbiter, hook_name, **kwargs):
            threading.Thread(target=ask, daemon=True).start()
            return True
        def hook(watcher, arbiter, hook_name, **kwargs):
            taken = arbiter._watchers_names.pop(watcher.name)
            del arbiter.watchers[arbiter.watchers.index(taken)]
            return True
        """,
        "out",
    ),
    "a hook that reads what its watcher was given": hook(
        "before_start",
        """
        def hook(watcher, arbiter, hook_name, **kwargs):
            note(watcher.name, watcher.cmd[:2], watcher.numprocesses, watcher.copy_env)
            note(watcher.priority, watcher.respawn, watcher.singleton, watcher.uid, watcher.shell)
            note(len(arbiter.watchers), [w.name for w in arbiter.watchers if w.name == "other"])
            return True
        """,
        "web sh 1 True",
        "0 True False None False",
        "3 ['other']",
    ),
    "an observer that ends itself where an option is missing": plugin(
        """
        from circus.plugins.statsd import BaseObserver
        class Mine(BaseObserver):
            name = "catcher"
            def __init__(self, *args, **config):
                super().__init__(*args, **config)
                self.watcher = config.get("watcher", None)
                note("made", self.watcher)
                if self.watcher is None:
                    self.statsd.stop()
                    self.loop.close()
                    raise NotImplementedError("watcher is mandatory for now.")
            def look_after(self):
                pass
        """,
        "made None",
    ),
    "an observer that sets a number of processes": plugin(
        """
        from circus.plugins.statsd import BaseObserver
        class Mine(BaseObserver):
            name = "catcher"
            def __init__(self, *args, **config):
                super().__init__(*args, **config)
                self.watcher = config.get("watcher")
                self.most = int(2 * float(config.get("multiplier", 1)))
            def look_after(self):
                info = self.call("stats", name=self.watcher)
                if info["status"] == "error":
                    return
                if len(info["info"]) < self.most:
                    self.cast("incr", name=self.watcher)
                else:
                    note("as many as", len(info["info"]))
        """,
        "as many as 3",
        options="watcher = web\nmultiplier = 1.5\nloop_rate = 0.5",
    ),
    "a plugin that begins in a timeout of no seconds": plugin(
        """
        class Mine(CircusPlugin):
            name = "vhosts"
            def __init__(self, endpoint, pubsub_endpoint, check_delay, ssh_server, **config):
                super().__init__(endpoint, pubsub_endpoint, check_delay, ssh_server, **config)
                self.port = int(config.get("port", 8000))
            def handle_recv(self, data):
                pass
            def handle_init(self):
                self.loop.add_timeout(0, self.begin)
            def handle_stop(self):
                note("stopped")
            def begin(self):
                sockets = self.call("listsockets")
                note(self.port, sockets["status"], sockets["sockets"])
        """,
        "8080 ok []",
        options="port = 8080",
    ),
    "a plugin with a periodic callback": plugin(
        """
        from tornado import ioloop
        class Mine(CircusPlugin):
            name = "mine"
            def __init__(self, *args, **config):
                super().__init__(*args, **config)
                self.period = ioloop.PeriodicCallback(self.look_after, 200)
                self.looks = 0
            def handle_init(self):
                self.period.start()
            def handle_stop(self):
                self.period.stop()
            def handle_recv(self, data):
                pass
            def look_after(self):
                self.looks += 1
                if self.looks == 3:
                    note("looked", sorted(self.call("status")["statuses"])[-1])
        """,
        "looked web",
    ),
    "a plugin that reads topics by hand": plugin(
        """
        from circus.util import to_str
        class Mine(CircusPlugin):
            name = "dummy"
            def handle_recv(self, data):
                topic, msg = data
                parts = to_str(topic).split(".")
                if parts[1] == "short" and parts[2] == "reap":
                    note("%s:%s" % (parts[1], parts[2]))
        """,
        "short:reap",
    ),
    "a stream with a file for each process": stream(
        """
        from circus.stream import FileStream
        class Mine(FileStream):
            _slots = None
            def __init__(self, filename=None, time_format=None, **kwargs):
                self._numprocesses = int(kwargs.get("numprocesses", "1"))
                self._slots = {}
                self._filename = filename
                self._time_format = time_format
            def _should_rollover(self, raw_data):
                return False
            def open(self):
                pass
            def close(self):
                for _, stream in self._slots.values():
                    stream.close()
                self._slots = {}
            def slot(self, pid):
                if pid not in self._slots:
                    name = self._filename.replace("{SLOT}", str(len(self._slots)))
                    stream = FileStream(filename=name, time_format=self._time_format)
                    stream.open()
                    self._slots[pid] = (len(self._slots), stream)
                return self._slots[pid]
            def write_data(self, data):
                _, stream = self.slot(data["pid"])
                stream.write_data(data)
        """,
        "said",
        options="stdout_stream.filename = {folder}/notes\nstdout_stream.numprocesses = 2",
    ),
    "a stream to a server of logs": stream(
        """
        import socket
        from urllib.parse import urlparse
        from circus.util import to_str
        SERVER = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        SERVER.bind(("127.0.0.1", 0))
        def receive():
            note(SERVER.recv(999).decode().strip())
        threading.Thread(target=receive, daemon=True).start()
        class Mine:
            def __init__(self, syslog_url=None, ident=None, **kwargs):
                self.url = urlparse(syslog_url)
                self.ident = ident
                self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            def __call__(self, data):
                for line in to_str(data["data"]).rstrip().split("\\n"):
                    text = f"<{8 * 3 + 6}>{self.ident}[{data['pid'] > 0}]: {line}"
                    self.socket.sendto(text.encode(), SERVER.getsockname())
            def close(self):
                self.socket.close()
        """,
        "<30>web[True]: said",
        options="stdout_stream.syslog_url = udp://localhost:514\nstdout_stream.ident = web",
    ),
    "a stream into a logger": stream(
        """
        import logging
        handler = logging.FileHandler(os.path.join(os.path.dirname(__file__), "notes"))
        handler.setFormatter(logging.Formatter("%(name)s %(levelname)s %(message)s"))
        class Mine(object):
            def __init__(self, logger_name, level="INFO", **kwargs):
                self.logger = logging.getLogger(logger_name)
                self.logger.addHandler(handler)
                self.logger.setLevel(level)
            def __call__(self, data):
                self.logger.log(self.logger.level, data["data"].decode("utf-8").rstrip())
        """,
        "shop WARNING said",
        options="stdout_stream.logger_name = shop\nstdout_stream.level = WARNING",
    ),
}


@pytest.mark.parametrize("name", SHAPES)
def test_a_seen_shape(library: Library, folder: Path, name: str) -> None:
    shape = SHAPES[name]
    if "def begin" in shape.module:
        shape = shape._replace(options=f"{shape.options}\nhooks.after_start = shape.begin")
    says = "[env:web]\nX = said\n" if name.startswith("a stream") else ""
    play(library, folder, shape._replace(sections=shape.sections + says))
