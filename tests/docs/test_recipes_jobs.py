"""The recipes for tasks, jobs, logs and containers do what their pages say."""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.docs.recipe_runs import HERE, running, set_up
from tests.live.daemon import free_port
from tests.programs import Control, need, wait_until

pytestmark = pytest.mark.live


@pytest.fixture
def folder() -> Iterator[Path]:
    with TemporaryDirectory(prefix="rec") as short:
        yield Path(short)


@contextmanager
def redis_server(folder: Path) -> Iterator[int]:
    """Run a Redis of its own, and yield its port."""
    port = free_port()
    words = ["--port", str(port), "--save", "", "--dir", str(folder)]
    server = subprocess.Popen([need("redis-server"), *words], stdout=subprocess.DEVNULL)
    try:
        yield port
    finally:
        server.kill()
        server.wait(timeout=10)


def python(folder: Path, code: str, **env: str) -> str:
    """Run a few lines in the folder of a recipe, and return what they print."""
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=folder,
        env={**os.environ, **env},
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_celery_finishes_its_task_during_a_restart(folder: Path) -> None:
    with redis_server(folder) as port:
        url = f"redis://127.0.0.1:{port}/0"
        set_up("tasks", folder, **{"redis://127.0.0.1:6379/0": url})
        send = (
            "from celery_tasks import bill; result = bill.delay(7)\n"
            "from celery.app.control import Inspect; from celery_tasks import app\n"
            "import time; limit = time.monotonic() + 60\n"
            "while not any((Inspect(app=app).active() or {}).values()):\n"
            "    assert time.monotonic() < limit, 'nobody works on it'\n"
            "print(result.id)"
        )
        fetch = (
            "import sys; from celery_tasks import bill\n"
            "print(bill.AsyncResult({!r}).get(timeout=60))"
        )
        with running(folder, "celery.ini") as control:
            assert control("status", "beat")[0] == 0
            task = python(folder, send, REDIS_URL=url).strip()
            before = control.pids("celery")
            code, _, err = control("--timeout", "100", "restart", "celery", "--waiting")
            assert code == 0, err
            assert control.pids("celery") != before
            got = python(folder, fetch.format(task), REDIS_URL=url)
            assert got == "order 7 is billed\n"


def test_rq_finishes_its_task_during_a_restart(folder: Path) -> None:
    with redis_server(folder) as port:
        url = f"redis://127.0.0.1:{port}/0"
        set_up("tasks", folder, **{"redis://127.0.0.1:6379/0": url})
        begin = f"from redis import Redis; r = Redis.from_url({url!r})\n"
        send = (
            "from rq import Queue; from rq_tasks import bill\n"
            "job = Queue('bills', connection=r).enqueue(bill, 7); import time\n"
            "limit = time.monotonic() + 60\n"
            "while job.get_status(refresh=True) != 'started': assert time.monotonic() < limit\n"
            "print(job.id)"
        )
        fetch = (
            "from rq.job import Job; import time; limit = time.monotonic() + 60\n"
            "job = Job.fetch({!r}, connection=r)\n"
            "while not job.is_finished: assert time.monotonic() < limit\n"
            "print(job.return_value())"
        )
        with running(folder, "rq.ini") as control:
            job = python(folder, begin + send).strip()
            code, _, err = control("--timeout", "100", "restart", "rq", "--waiting")
            assert code == 0, err
            assert python(folder, begin + fetch.format(job)) == "order 7 is billed\n"


def cron_command(folder: Path) -> str:
    """Return what cron would run, with the daemon's endpoint of the test."""
    line = (folder / "crontab").read_text(encoding="utf-8").strip()
    command = line.split(None, 5)[5]
    return command.replace("circusctl ", f"circusctl --endpoint ipc://{folder}/c ", 1)


def test_a_job_runs_when_cron_says_so(folder: Path) -> None:
    set_up("jobs", folder)
    with running(folder, "jobs.ini") as control:
        assert control("status", "backup")[1] == "stopped\n"
        wait_until((folder / "sweeps").exists)
        for number in (1, 2):
            # As cron does it: a shell, and next to no environment.
            done = subprocess.run(
                ["/bin/sh", "-c", cron_command(folder)],
                env={"PATH": "/usr/bin:/bin", "SHELL": "/bin/sh"},
                capture_output=True,
                text=True,
                timeout=60,
            )
            assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
            wait_until(lambda number=number: lines(folder / "backups") == number)  # type: ignore[misc]
        (folder / "backup").write_text("#!/bin/sh\nexit 7\n", encoding="utf-8")
        failed = subprocess.run(["/bin/sh", "-c", cron_command(folder)], capture_output=True)
        control.wait_for("stopped", "status", "backup")
        assert "7" in control("status", "backup", "--long")[1], failed.stderr


def lines(file: Path) -> int:
    """Return how many lines a file has."""
    return file.read_text(encoding="utf-8").count("\n") if file.exists() else 0


def rotate(folder: Path) -> None:
    """Run logrotate as cron does it: full paths, and no environment at all."""
    logrotate = need("logrotate")
    done = subprocess.run(
        [logrotate, "--force", "--state", str(folder / "state"), str(folder / "logrotate.conf")],
        env={},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_logrotate_loses_no_line(folder: Path) -> None:
    set_up("logs", folder)
    log = folder / "log"
    log.mkdir()
    log.chmod(0o755)
    with running(folder, "shop.ini") as control:
        for _ in range(2):
            wait_until(lambda: lines(log / "web.log") > 20)
            rotate(folder)
        wait_until(lambda: lines(log / "web.log") > 0)
        assert control("stop", "web", "--waiting")[0] == 0
    with gzip.open(log / "web.log.2.gz", "rt") as oldest:
        text = oldest.read()
    text += (log / "web.log.1").read_text(encoding="utf-8")
    text += (log / "web.log").read_text(encoding="utf-8")
    numbers = [int(line) for line in text.splitlines()]
    assert numbers == list(range(1, len(numbers) + 1))


def test_lines_for_a_collector(folder: Path) -> None:
    set_up("logs", folder)
    (folder / "log").mkdir()
    with running(folder, "json.ini"):
        wait_until(lambda: lines(folder / "log" / "web.json") > 3)
    text = (folder / "log" / "web.json").read_text(encoding="utf-8")
    objects = [json.loads(line) for line in text.splitlines()]
    assert [entry["line"] for entry in objects[:3]] == ["1", "2", "3"]
    assert {entry["watcher"] for entry in objects} == {"web"}


IN_A_CONTAINER = ("unshare", "--pid", "--fork", "--mount-proc", "--kill-child")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may make a pid namespace")
def test_a_container_image(folder: Path) -> None:
    need("unshare", "util-linux")
    set_up("container", folder)
    text = (folder / "Dockerfile").read_text(encoding="utf-8")
    entry, health = entry_point(text), health_check(text)
    main = folder / "circus.ini"
    with main.open("a", encoding="utf-8") as more:
        more.write(f"[circus]\nendpoint = ipc://{folder}/c\npubsub_endpoint = ipc://{folder}/e\n")
    (folder / "shop" / "web").replace(folder / "web")
    (folder / "web").chmod(0o755)
    command = [*IN_A_CONTAINER, entry[0], str(main)]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as box:
        control = Control(HERE, f"ipc://{folder}/c")
        assert control("--wait-for-daemon", "--timeout", "30", "numwatchers")[0] == 0
        control.wait_for("active", "status", "web")
        (first,) = children_of(box.pid)
        assert inside(first, *health, endpoint=control.endpoint) == (0, "active\n")
        assert inside(first, "ps", "-o", "comm=", "-p", "1")[1].strip() in ("circusd", "python3")
        # Orphans become children of pid 1, which reaps them.
        wait_until(lambda: "Z" not in inside(first, "ps", "-eo", "stat=")[1])
        assert control("stop", "web", "--waiting")[0] == 0
        assert inside(first, *health, endpoint=control.endpoint)[1] == "stopped\n"
        assert control("start", "web", "--waiting")[0] == 0
        # What `docker stop` does.
        os.kill(first, 15)
        out, err = box.communicate(timeout=30)
    assert box.returncode == 0, err
    assert "web is up\n" in out
    assert "bye\n" in out
    assert "Everything is stopped, bye" in err


def entry_point(dockerfile: str) -> list[str]:
    """Return the words of ENTRYPOINT."""
    (line,) = [line for line in dockerfile.splitlines() if line.startswith("ENTRYPOINT")]
    words: list[str] = json.loads(line.removeprefix("ENTRYPOINT"))
    return words


def health_check(dockerfile: str) -> list[str]:
    """Return the words of HEALTHCHECK."""
    (line,) = [line for line in dockerfile.splitlines() if line.startswith("HEALTHCHECK")]
    words: list[str] = json.loads(line.partition("CMD ")[2])
    return words


def children_of(pid: int) -> list[int]:
    """Return the pids of the children of a process."""
    text = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="utf-8")
    return [int(word) for word in text.split()]


def inside(first: int, *words: str, endpoint: str = "") -> tuple[int, str]:
    """Run a command in the namespaces of a process, as `docker exec` does."""
    done = subprocess.run(
        ["nsenter", "--target", str(first), "--pid", "--mount", *words],
        env={**os.environ, "CIRCUSCTL_ENDPOINT": endpoint} if endpoint else None,
        capture_output=True,
        text=True,
        timeout=60,
    )
    return done.returncode, done.stdout
