"""Programs that talk to a daemon, or are called by one: clients, commands, plugins, streams."""

from tests.compat.prelude import Program

CLIENTS: dict[str, Program] = {
    "client.CircusClient": (
        """
        from circus.client import CircusClient
        with daemon(WEB):
            client = CircusClient(endpoint=ENDPOINT, timeout=15)
            print(client.call({"command": "list", "properties": {}})["watchers"])
            asked("incr", name="web", nb=2)
            until(lambda: len(client.send_message("list", name="web")["pids"]) == 3)
            print(client.send_message("numprocesses", name="web")["numprocesses"])
            stats = client.call({"command": "stats", "properties": {"name": "web"}})
            pids = client.send_message("list", name="web")["pids"]
            print(sorted(stats["info"]) == sorted(map(str, pids)))
            client.stop()
        """,
        *("['web']", "3", "True"),
    ),
    "client.AsyncCircusClient": (
        """
        from tornado.ioloop import IOLoop
        from circus.client import AsyncCircusClient
        async def look():
            client = AsyncCircusClient(endpoint=ENDPOINT)
            reply = await client.send_message("status", name="web")
            client.stop()
            return reply["status"]
        with daemon(WEB):
            until(lambda: is_active("web"))
            print(IOLoop(make_current=False).run_sync(look))
        """,
        "active",
    ),
    "client.make_message": (
        """
        from circus.client import CircusClient, make_message
        with daemon(WEB):
            client = CircusClient(endpoint=ENDPOINT, timeout=15)
            reply = client.call(make_message("options", name="web"))
            print(reply["status"], reply["options"]["cmd"])
            print(client.call(make_message("status", name="nobody"))["status"])
            client.stop()
        """,
        *("ok sleep 100", "error"),
    ),
    "exc.CallError": (
        """
        from circus.client import CircusClient
        from circus.exc import CallError
        client = CircusClient(endpoint=ENDPOINT, timeout=0.3)
        try:
            client.send_message("dstats")
        except CallError as error:
            print("is it running?", "Timed out" in str(error))
        finally:
            client.stop()
        """,
        "is it running? True",
    ),
    "stats.client.StatsClient": (
        """
        from circus.stats.client import StatsClient
        with daemon(WEB, f"statsd = True\\nstats_endpoint = {STATS}\\n"):
            until(lambda: is_active("web"))
            client = StatsClient(endpoint=STATS)
            for watcher, subtopic, stat in client.iter_messages():
                if watcher == "web" and subtopic is None:
                    print(watcher, len(stat["pid"]), "cpu" in stat, "mem" in stat)
                    break
            client.stop()
        """,
        "web 1 True True",
    ),
    "consumer.CircusConsumer": (
        """
        from circus.consumer import CircusConsumer
        with daemon(SHORT):
            consumer = CircusConsumer(["watcher.short."], endpoint=PUBSUB)
            for topic, message in consumer:
                if topic.endswith(b"spawn"):
                    print(topic.decode(), json.loads(message)["process_pid"] > 0)
                    break
            consumer.stop()
        """,
        "watcher.short.spawn True",
    ),
    "commands.get_commands": (
        """
        from circus.client import CircusClient
        from circus.commands import get_commands
        commands = get_commands()
        with daemon(WEB):
            until(lambda: is_active("web"))
            client = CircusClient(endpoint=ENDPOINT, timeout=15)
            for words in (["status", "web"], ["numprocesses", "web"], ["list"]):
                command = commands[words[0]]
                print(command.console_msg(client.call(command.message(*words[1:]))))
            client.stop()
        """,
        *("active", "1", "web"),
    ),
    "commands.base.Command": (
        """
        from circus.commands import get_commands
        from circus.commands.base import Command
        from circus.exc import ArgumentError
        class NodeList(Command):
            '''Tells the nodes'''
            name = "nodelist"
            def message(self, *args, **opts):
                if args:
                    raise ArgumentError("no arguments")
                return self.make_message()
            def console_msg(self, msg):
                return ",".join(msg["nodes"])
        command = get_commands()["nodelist"]
        print(command.message(), command.console_msg({"nodes": ["a", "b"]}))
        try:
            command.message("x")
        except ArgumentError as error:
            print(error)
        """,
        *("{'command': 'nodelist', 'properties': {}} a,b", "no arguments"),
    ),
    "commands.base.ok": (
        """
        from circus.commands.base import error, ok
        print(ok({"nodes": 2})["status"], ok({"nodes": 2})["nodes"])
        print(error("why not")["status"], error("why not")["reason"])
        """,
        *("ok 2", "error why not"),
    ),
    "exc.ArgumentError": (
        """
        from circus.commands import get_commands
        from circus.exc import ArgumentError
        try:
            get_commands()["incr"].message()
        except ArgumentError as error:
            print("invalid")
        """,
        "invalid",
    ),
    "exc.MessageError": (
        """
        from circus.commands import get_commands
        from circus.exc import MessageError
        try:
            get_commands()["incr"].validate({})
        except MessageError as error:
            print("name" in str(error))
        """,
        "True",
    ),
    "exc.ConflictError": (
        """
        from circus.exc import ConflictError
        def begin():
            raise ConflictError("arbiter is already running command")
        try:
            begin()
        except ConflictError as error:
            print(error)
        """,
        "arbiter is already running command",
    ),
    "plugins.CircusPlugin": (
        """
        write("mine.py", '''
            from circus.plugins import CircusPlugin
            class Logger(CircusPlugin):
                name = "logger"
                def __init__(self, *args, **config):
                    super().__init__(*args, **config)
                    self.filename = config.get("filename")
                    self.file = None
                def handle_init(self):
                    self.file = open(self.filename, "a+", buffering=1)
                def handle_stop(self):
                    self.file.close()
                def handle_recv(self, data):
                    watcher_name, action, msg = self.split_data(data)
                    pid = self.load_message(msg).get("process_pid", 0)
                    self.file.write(f"{action} {watcher_name} {pid > 0}\\\\n")
        ''')
        plugin = f"[plugin:mine]\\nuse = mine.Logger\\nfilename = {os.getcwd()}/events\\n"
        env = f"[env:*]\\nPYTHONPATH = {os.getcwd()}:$PYTHONPATH\\n"
        with daemon(SHORT + plugin + "copy_env = True\\n" + env):
            until(lambda: {"reap short True", "spawn short True"} <= {
                *content("events").splitlines()
            })
        print("written")
        """,
        "written",
    ),
    "plugins.statsd.BaseObserver": (
        """
        write("mine.py", '''
            from circus.plugins.statsd import BaseObserver
            class Counter(BaseObserver):
                name = "counter"
                default_app_name = "counter"
                def look_after(self):
                    for watcher in self.call("list")["watchers"]:
                        info = self.call("stats", name=watcher)
                        if info["status"] == "ok":
                            self.statsd.gauge(watcher, len(info["info"]))
        ''')
        server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        server.bind(("127.0.0.1", 0))
        server.settimeout(40)
        port = server.getsockname()[1]
        plugin = (
            f"[plugin:mine]\\nuse = mine.Counter\\nhost = 127.0.0.1\\nport = {port}\\n"
            "loop_rate = 0.2\\ncopy_env = True\\napplication_name = shop\\n"
        )
        env = f"[env:*]\\nPYTHONPATH = {os.getcwd()}:$PYTHONPATH\\n"
        with daemon(WEB + plugin + env):
            names = ""
            while ".web:1" not in names:
                names = server.recv(999).decode().replace(".000000", "")
            print(names.rpartition(".")[2])
        """,
        "web:1|g",
    ),
    "plugins.statsd.StatsdClient": (
        """
        from circus.plugins.statsd import StatsdClient
        server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        server.bind(("127.0.0.1", 0))
        server.settimeout(40)
        client = StatsdClient(
            host="127.0.0.1", port=server.getsockname()[1], prefix="tsuru.app", sample_rate=1.0
        )
        client.increment("web.spawn")
        client.gauge("disk", 12)
        for _ in range(2):
            print(server.recv(999).decode().replace(".000000", ""))
        client.stop()
        """,
        *("tsuru.app.web.spawn:1|c", "tsuru.app.disk:12|g"),
    ),
    "plugins.get_plugin_cmd": (
        """
        from circus.plugins import get_plugin_cmd
        with daemon(WEB):
            config = {"use": "circus.plugins.flapping.Flapping", "name": "flapping", "window": "1"}
            words = get_plugin_cmd(config, ENDPOINT, PUBSUB, 0.5, None)
            plugin = subprocess.Popen("exec " + words, shell=True, stderr=subprocess.DEVNULL)
            until(lambda: plugin.poll() is None)
            print("--endpoint" in words, "flapping" in words)
            plugin.terminate()
            plugin.wait(40)
        """,
        "True True",
    ),
    "stream.get_stream": (
        """
        from circus.stream import get_stream
        stream = get_stream({"class": "FileStream", "filename": "out.log", "max_bytes": 100,
                             "backup_count": 1})
        stream({"data": b"hello", "pid": 1, "name": "stdout"})
        stream.close()
        print(content("out.log"), type(stream).__name__)
        print(get_stream({}))
        """,
        *("hello FileStream", "None"),
    ),
    "stream.file_stream": (
        """
        from circus.stream import file_stream
        stream = file_stream.FileStream("out.log")
        stream.open()
        stream({"data": b"one\\n", "pid": 1, "name": "stdout"})
        stream.close()
        rotated = file_stream.TimedRotatingFileStream("timed.log", rotate_when="S")
        rotated({"data": b"two\\n", "pid": 1, "name": "stdout"})
        rotated.close()
        watched = file_stream.WatchedFileStream("watched.log")
        watched({"data": b"three\\n", "pid": 1, "name": "stdout"})
        watched.close()
        print([content(name).strip() for name in ("out.log", "timed.log", "watched.log")])
        """,
        "['one', 'two', 'three']",
    ),
}
