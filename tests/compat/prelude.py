"""What stands before each program that uses a name: a daemon to talk to, and patience."""

PRELUDE = r"""
import asyncio, contextlib, json, logging, os, signal, socket, subprocess, sys, textwrap
import threading, time

def free():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"tcp://127.0.0.1:{probe.getsockname()[1]}"

def until(fact, limit=40):
    end = time.monotonic() + limit
    while not fact():
        assert time.monotonic() < end, "it never came true"
        time.sleep(0.02)

def write(name, text):
    with open(name, "w") as file:
        file.write(textwrap.dedent(text))

def content(name):
    return open(name).read() if os.path.exists(name) else ""

ENDPOINT, PUBSUB, STATS = free(), free(), free()
WEB = "[watcher:web]\ncmd = sleep 100\n"
SHORT = "[watcher:short]\ncmd = sleep 0.5\n"

def ask(command, **props):
    from circus.client import CircusClient
    client = CircusClient(endpoint=ENDPOINT, timeout=15)
    try:
        return client.send_message(command, **props)
    finally:
        client.stop()

def asked(command, **props):
    # The older daemon refuses while it is busy with anything.
    replies = []
    until(lambda: replies.append(ask(command, **props)) or replies[-1]["status"] == "ok")
    return replies[-1]

def is_active(name):
    return ask("status", name=name).get("status") == "active"

@contextlib.contextmanager
def daemon(sections, options=""):
    with open("circus.ini", "w") as file:
        file.write(f"[circus]\nendpoint = {ENDPOINT}\npubsub_endpoint = {PUBSUB}\n")
        file.write(f"check_delay = 0.5\n{options}\n{sections}")
    with open("daemon.log", "w") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "circus.circusd", "circus.ini"],
            stdout=log, stderr=log, env={**os.environ, "PYTHONPATH": os.pathsep.join(
                [os.getcwd(), os.environ.get("PYTHONPATH", "")]
            )},
        )
    try:
        asked("list")
        yield
        asked("quit")
        process.wait(40)
    except BaseException:
        print(content("daemon.log"), flush=True)
        raise
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()

@contextlib.contextmanager
def ended_from_outside(*names, work=None):
    def run():
        try:
            for name in names:
                until(lambda: is_active(name))
            if work is not None:
                work()
            asked("quit", waiting=True)
        except BaseException as error:
            print("failed:", repr(error), flush=True)
            os._exit(1)
    thread = threading.Thread(target=run)
    thread.start()
    yield
    thread.join()
"""

Program = tuple[str, *tuple[str, ...]]
"""A text, and the lines that it prints."""
