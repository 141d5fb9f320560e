"""Programs that take endpoints, loggers, conversions and configurations from the package."""

from tests.compat.prelude import Program

UTIL: dict[str, Program] = {
    **{
        f"util.DEFAULT_ENDPOINT_{name}": (
            f"""
            from urllib.parse import urlparse
            from circus.util import DEFAULT_ENDPOINT_{name} as endpoint
            parts = urlparse(os.environ.get("CIRCUS_ENDPOINT_X", endpoint))
            print(parts.scheme, parts.hostname, parts.port)
            """,
            line,
        )
        for name, line in (
            ("DEALER", "tcp 127.0.0.1 5555"),
            ("SUB", "tcp 127.0.0.1 5556"),
            ("STATS", "tcp 127.0.0.1 5557"),
            ("MULTICAST", "udp 237.219.251.97 12027"),
        )
    },
    "logger": (
        """
        from circus import logger
        handler = logging.FileHandler("here.log")
        logger.addHandler(handler)
        logger.setLevel(logging.DEBUG)
        logger.debug("a detail")
        logger.info("starting %s", "web")
        handler.close()
        print(logger.name, logger.isEnabledFor(logging.DEBUG), content("here.log").splitlines())
        """,
        "circus True ['a detail', 'starting web']",
    ),
    "util.configure_logger": (
        """
        from circus import logger
        from circus.util import configure_logger
        configure_logger(logger, "INFO", "here.log")
        logger.info("starting")
        logger.debug("for nobody")
        config = {"version": 1, "disable_existing_loggers": False,
                  "handlers": {"file": {"class": "logging.FileHandler", "filename": "other.log"}},
                  "root": {"handlers": ["file"], "level": "DEBUG"},
                  "loggers": {"circus": {"propagate": True, "handlers": []}}}
        write("log.json", json.dumps(config))
        print(content("here.log").count("starting"), "INFO" in content("here.log"))
        configure_logger(logger, "INFO", "-", loggerconfig="log.json")
        logger.warning("to the other")
        print(content("other.log").count("to the other"))
        """,
        *("1 True", "1"),
    ),
    "util.human2bytes": (
        """
        from circus.util import human2bytes
        print([human2bytes(text) for text in ("1B", "2K", "64M", "1.5G")])
        try:
            human2bytes("many")
        except (ValueError, AttributeError):
            print("refused")
        """,
        *("[1, 2048, 67108864, 1610612736]", "refused"),
    ),
    "util.bytes2human": (
        """
        from circus.util import bytes2human
        print([bytes2human(number) for number in (0, 1023, 1024, 123456789, 10**12)])
        """,
        "['0B', '1023B', '1.00K', '117.74M', '931.32G']",
    ),
    "util.to_str": (
        """
        from circus.util import to_str
        print(to_str(b"caf\\xc3\\xa9") == "caf\\u00e9", to_str("text"), type(to_str(b"x")).__name__)
        """,
        "True text str",
    ),
    "util.to_uid": (
        """
        from circus.util import to_uid
        print(to_uid("root"), to_uid("0"), to_uid(os.getuid()) == os.getuid())
        try:
            to_uid("nobody-of-this-name")
        except ValueError as error:
            print("nobody-of-this-name" in str(error))
        """,
        *("0 0 True", "True"),
    ),
    "util.to_gid": (
        """
        from circus.util import to_gid
        print(to_gid("root"), to_gid("0"), to_gid(0))
        try:
            to_gid("nobody-of-this-name")
        except ValueError as error:
            print("nobody-of-this-name" in str(error))
        """,
        *("0 0 0", "True"),
    ),
    "util.get_connection": (
        """
        import zmq
        from circus.client import make_message
        from circus.util import get_connection
        context = zmq.Context()
        with daemon(WEB):
            connection = context.socket(zmq.DEALER)
            get_connection(connection, ENDPOINT, ssh_server=None)
            connection.send_json({**make_message("list"), "id": "one"})
            print(connection.poll(40000) > 0, connection.recv_json()["watchers"])
            connection.close(0)
        """,
        "True ['web']",
    ),
    "util.LOG_LEVELS": (
        """
        from circus.util import LOG_LEVELS
        logging.getLogger("mine").setLevel(LOG_LEVELS["warning"])
        print(sorted(LOG_LEVELS), logging.getLogger("mine").getEffectiveLevel())
        """,
        "['critical', 'debug', 'error', 'info', 'warning'] 30",
    ),
    "util.resolve_name": (
        """
        from circus.util import resolve_name
        write("own_module.py", "class Own:\\n    pass\\n")
        sys.path.insert(0, os.getcwd())
        print(resolve_name("own_module.Own").__name__, resolve_name("os.path.join")("a", "b"))
        print(resolve_name("circus.stream.FileStream").__name__)
        for name in ("own_module.Nobody", "nobody.here"):
            try:
                resolve_name(name)
            except ImportError as error:
                print(name in str(error))
        """,
        *("Own a/b", "FileStream", "True", "True"),
    ),
    "util.tornado_sleep": (
        """
        from circus.util import tornado_sleep
        async def main():
            begin = time.monotonic()
            await tornado_sleep(0.2)
            return time.monotonic() - begin > 0.15
        print(asyncio.run(main()))
        """,
        "True",
    ),
    "util.get_working_dir": (
        """
        from circus.util import get_working_dir
        print(os.path.realpath(get_working_dir()) == os.getcwd())
        """,
        "True",
    ),
    "util.env_to_str": (
        """
        from circus.util import env_to_str, parse_env_str
        print(env_to_str({"B": "2", "A": "1"}), parse_env_str("A=1,B=2")["B"])
        """,
        "A=1,B=2 2",
    ),
    "util.IS_WINDOWS": (
        """
        from circus.util import IS_WINDOWS
        print(IS_WINDOWS)
        """,
        "False",
    ),
    "fixed_threading.Thread": (
        """
        from circus.fixed_threading import Thread, Timer, get_ident
        idents = []
        thread = Thread(target=lambda: idents.append(get_ident()))
        thread.start()
        thread.join()
        timer = Timer(0.01, lambda: idents.append(0))
        timer.start()
        timer.join()
        print(idents == [thread.ident, 0])
        """,
        "True",
    ),
    "config.get_config": (
        """
        from circus.config import get_config
        write("circus.ini", '''
            [circus]
            endpoint = tcp://127.0.0.1:9555
            [watcher:web]
            cmd = python -u app.py --port 80
            numprocesses = 3
            [env:web]
            LEVEL = 3
            [socket:api]
            port = 8000
        ''')
        config = get_config("circus.ini")
        (watcher,) = config["watchers"]
        print(config["endpoint"], watcher["name"], watcher["cmd"], watcher["numprocesses"])
        print(watcher["env"]["LEVEL"], config["sockets"][0]["port"], config["plugins"])
        """,
        *("tcp://127.0.0.1:9555 web python -u app.py --port 80 3", "3 8000 []"),
    ),
    "__version__": (
        """
        import circus
        print(circus.__version__)
        """,
        "0.19.0",
    ),
}
