"""Programs around an arbiter, its watchers, sockets and processes; and the daemon's own program."""

from tests.compat.prelude import Program

ARBITERS: dict[str, Program] = {
    "get_arbiter": (
        """
        from circus import get_arbiter
        arbiter = get_arbiter(
            [{"cmd": "sleep", "args": "100", "name": "web", "numprocesses": 2, "env": {"A": "1"}}],
            controller=ENDPOINT, pubsub_endpoint=PUBSUB, check_delay=0.2,
        )
        with ended_from_outside("web"):
            try:
                arbiter.start()
            finally:
                arbiter.stop()
        print(arbiter.watchers[0].name, arbiter.watchers[0].numprocesses)
        """,
        "web 2",
    ),
    "arbiter.Arbiter": (
        """
        from circus.arbiter import Arbiter
        from circus.watcher import Watcher
        watchers = [Watcher(name, "sleep 100", singleton=True) for name in ("api", "worker")]
        arbiter = Arbiter(
            watchers, ENDPOINT, PUBSUB, check_delay=0.2, debug=True, stats_endpoint=None,
        )
        def work():
            print(sorted(ask("list")["watchers"]), ask("numwatchers")["numwatchers"])
            print(ask("incr", name="api")["status"])
        with ended_from_outside("api", "worker", work=work):
            arbiter.start()
        print(arbiter.endpoint == ENDPOINT, arbiter.pubsub_endpoint == PUBSUB)
        """,
        *("['api', 'worker'] 2", "ok", "True True"),
    ),
    "watcher.Watcher": (
        """
        from circus.arbiter import Arbiter
        from circus.watcher import Watcher
        class Named(Watcher):
            def label(self):
                return f"{self.name} of {self.numprocesses}"
        watcher = Named(
            name="web", cmd=sys.executable, args=["-c", "import os, time; "
            "print(os.environ['LEVEL'], flush=True); time.sleep(100)"],
            env={**os.environ, "LEVEL": "3"}, numprocesses=1, copy_env=True,
            working_dir=os.getcwd(), graceful_timeout=2, stop_children=True,
            stdout_stream={"class": "FileStream", "filename": "out.log"},
        )
        print(watcher.label(), watcher.cmd == sys.executable, len(watcher.args))
        arbiter = Arbiter([watcher], ENDPOINT, PUBSUB, check_delay=0.2)
        with ended_from_outside("web", work=lambda: until(lambda: content("out.log"))):
            arbiter.start()
        print(content("out.log").splitlines())
        """,
        *("web of 1 True 2", "['3']"),
    ),
    "sockets.CircusSocket": (
        """
        from circus.arbiter import Arbiter
        from circus.sockets import CircusSocket
        from circus.watcher import Watcher
        port = int(free().rpartition(":")[2])
        sock = CircusSocket("api", host="127.0.0.1", port=port, backlog=128)
        program = (
            "import socket, sys; server = socket.socket(fileno=int(sys.argv[1]))\\n"
            "while True: server.accept()[0].sendall(b'hello')"
        )
        watcher = Watcher(
            "api", sys.executable, args=["-c", program, "$(circus.sockets.api)"],
            use_sockets=True, copy_env=True,
        )
        arbiter = Arbiter([watcher], ENDPOINT, PUBSUB, check_delay=0.2, sockets=[sock])
        def work():
            with socket.create_connection(("127.0.0.1", port), 20) as client:
                print(client.recv(9))
        with ended_from_outside("api", work=work):
            arbiter.start()
        print(sock.name, sock.port == port)
        """,
        *("b'hello'", "api True"),
    ),
    "arbiter.ThreadedArbiter": (
        """
        from circus.arbiter import ThreadedArbiter
        from circus.watcher import Watcher
        arbiter = ThreadedArbiter([Watcher("web", "sleep 100")], ENDPOINT, PUBSUB, check_delay=0.2)
        print(isinstance(arbiter, threading.Thread))
        arbiter.start()
        until(lambda: is_active("web"))
        arbiter.stop()
        print(arbiter.is_alive())
        """,
        *("True", "False"),
    ),
    "util.check_future_exception_and_log": (
        """
        from circus import get_arbiter
        from circus.util import check_future_exception_and_log
        logging.disable(logging.CRITICAL)
        arbiter = get_arbiter(
            [{"cmd": "sleep 100", "name": "web"}], controller=ENDPOINT, pubsub_endpoint=PUBSUB,
        )
        with ended_from_outside("web"):
            future = arbiter.start()
        restart = False
        if check_future_exception_and_log(future) is None:
            restart = arbiter._restarting
        print(future.done(), restart)
        failed = asyncio.new_event_loop().create_future()
        failed.set_exception(OSError("no"))
        print(repr(check_future_exception_and_log(failed)))
        """,
        *("True False", "OSError('no')"),
    ),
    "process.Process": (
        """
        from circus.process import Process
        args = ["-c", "import time; time.sleep(100)"]
        process = Process("Test", "test", sys.executable, args=args, shell=False)
        try:
            print(process.is_alive(), process.pid > 0, process.age() >= 0)
            print(sorted(process.info())[:2], process.info()["pid"] == process.pid)
        finally:
            process.stop()
            process.wait()
        print(process.is_alive())
        """,
        *("True True True", "['age', 'children'] True", "False"),
    ),
    **{
        f"process.{name}": (
            f"""
            from circus.process import Process, {name}
            process = Process("Test", "test", "sleep", args=["100"])
            alive = process.status
            process.stop()
            process.wait()
            print(alive == {name}, process.status == {name}, {name} in (0, 1, 2, 3))
            """,
            line,
        )
        for name, line in (
            ("RUNNING", "True False True"),
            ("DEAD_OR_ZOMBIE", "False False True"),
            ("UNEXISTING", "False True True"),
            ("OTHER", "False False True"),
        )
    },
    "circusd.daemonize": (
        """
        program = (
            "import os\\nfrom circus.circusd import daemonize\\n"
            "before, group = os.getpid(), os.getpgrp()\\n"
            "daemonize()\\n"
            "with open('new', 'w') as file: file.write(\\n"
            "    f'{os.getpid() != before} {os.getpgrp() != group}')\\n"
            "os.rename('new', 'there')"
        )
        print(subprocess.run([sys.executable, "-c", program], timeout=60).returncode)
        until(lambda: content("there"))
        print(content("there"))
        """,
        *("0", "True True"),
    ),
    "circusd.main": (
        """
        from circus.circusd import main
        with open("circus.ini", "w") as file:
            file.write(f"[circus]\\nendpoint = {ENDPOINT}\\npubsub_endpoint = {PUBSUB}\\n{WEB}")
        sys.argv = ["circusd", "--log-level", "error", "--pidfile", "here.pid", "circus.ini"]
        def work():
            print(content("here.pid").strip() == str(os.getpid()))
        with ended_from_outside("web", work=work):
            try:
                main()
            except SystemExit as end:
                print(end.code or 0)
        print(os.path.exists("here.pid"))
        """,
        *("True", "0", "False"),
    ),
    "circusctl.main": (
        """
        from circus.circusctl import main
        with daemon(WEB):
            until(lambda: is_active("web"))
            sys.argv = ["circusctl", "--endpoint", ENDPOINT, "status", "web"]
            try:
                main()
            except SystemExit as end:
                print(end.code or 0)
        """,
        *("active", "0"),
    ),
    "circusd.get_maxfd": (
        """
        from circus.circusd import get_maxfd
        print(isinstance(get_maxfd(), int), get_maxfd() >= 256)
        """,
        "True True",
    ),
    "pidfile.Pidfile": (
        """
        from circus.pidfile import Pidfile
        pidfile = Pidfile("circus.pid")
        try:
            pidfile.create(os.getpid())
        except RuntimeError as error:
            print(error)
        print(content("circus.pid").strip() == str(os.getpid()))
        pidfile.unlink()
        print(os.path.exists("circus.pid"))
        sleeper = subprocess.Popen(["sleep", "100"])
        write("circus.pid", str(sleeper.pid))
        try:
            Pidfile("circus.pid").create(os.getpid())
        except RuntimeError:
            print("another one runs")
        sleeper.kill()
        sleeper.wait()
        Pidfile("circus.pid").create(os.getpid())
        print(content("circus.pid").strip() == str(os.getpid()))
        """,
        *("True", "False", "another one runs", "True"),
    ),
}
