"""Files in shapes that are common: what is written is taken, and what is lost is told."""

from __future__ import annotations

import json
import re
from configparser import RawConfigParser
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.importers.runs import HERE
from tests.programs import need

SHAPES = Path(__file__).parent / "shapes"
FILES = [f"{path.parent.name}/{path.name}" for path in sorted(SHAPES.glob("*/*"))]
NOT_ON_THIS_MACHINE = re.compile(r"^warning: .*(there|PATH|not set|no such|user named|group named)")


class Refused(NamedTuple):
    """A file with a mistake."""

    because: str


class Taken(NamedTuple):
    """What options have to be, and which keys have to be told as lost, among others."""

    options: dict[tuple[str, str], str]
    lost: tuple[str, ...] = ()


_FROM_ZERO = "=$(expr 0 + $(circus.wid) - 1) exec"
EXPECTED: dict[str, Refused | Taken] = {
    "supervisord/no-command.conf": Refused("has no command"),
    "procfile/nothing": Refused("is not NAME: COMMAND"),
    "procfile/empty-command": Refused("is not NAME: COMMAND"),
    "pm2/no-module.config.js": Refused("no-module-of-this-name"),
    "systemd/no-command.service": Refused("has no ExecStart"),
    "systemd/only.timer": Refused("has no ExecStart"),
    "process-compose/empty.yaml": Refused("has no processes"),
    "process-compose/compose.yaml": Refused("has no processes"),
    "process-compose/indent.yaml": Refused("can not be read"),
    "supervisord/laravel.conf": Taken(
        {("watcher:worker", "numprocesses"): "8", ("watcher:horizon", "exit_codes"): "0 2"}
    ),
    "supervisord/tornado.conf": Taken(
        {("watcher:tornado-4", "cmd"): "python main.py --port=8004"},
        ("[program:tornado] stdout_capture_maxbytes", "[program:tornado] serverurl"),
    ),
    "supervisord/gunicorn-group.conf": Taken(
        {("env:gunicorn", "secret"): "a%b,c"}, ("[program:gunicorn] group",)
    ),
    "procfile/release": Taken({("watcher:release", "autostart"): "no"}),
    "procfile/pipe": Taken(
        {("watcher:web", "cmd"): "cd api && node -r dotenv/config index.js 2>&1 | tee web.log"}
    ),
    "pm2/generated.config.js": Taken(
        {
            ("watcher:app", "cmd"): f"NODE_APP_INSTANCE{_FROM_ZERO} node ./bin/www",
            ("watcher:service-worker", "cmd"): "./service-worker/",
        },
        ("apps[0].exec_mode", "apps[0].env_production", "apps[1].watch", "deploy"),
    ),
    "pm2/commented.json": Taken({("watcher:x", "cmd"): "node a.js"}),
    "pm2/serve-npm.config.cjs": Taken(
        {("watcher:npm", "cmd"): "npm run start:prod"}, ("apps[0].script", "apps[2].namespace")
    ),
    "systemd/docker.service": Taken(
        {("watcher:docker", "ready_timeout"): "365d", ("watcher:docker", "watchdog"): "30"},
        ("KillMode", "TasksMax", "Delegate"),
    ),
    "systemd/prometheus.service": Taken(
        {("watcher:prometheus", "graceful_timeout"): "365d"}, ("StartLimitBurst",)
    ),
    "systemd/syncthing@.service": Taken(
        {("env:syncthing", "home"): "/root", ("env:syncthing", "name"): "syncthing-$(circus.wid)"},
        ("User", "SuccessExitStatus", "RestartForceExitStatus"),
    ),
    "systemd/taken-back.service": Taken(
        {("watcher:taken-back", "cmd"): "/usr/sbin/thing2 '--a=b c' && /bin/echo x"},
        ("ExecStart", "BusName", "DynamicUser", "StateDirectory"),
    ),
    "process-compose/replicas.yaml": Taken(
        {
            ("watcher:w", "cmd"): f"PC_REPLICA_NUM{_FROM_ZERO} bash -c 'python -u worker.py'",
            ("watcher:w", "env_file"): "@FOLDER@/.env",
        },
        ("processes.w.availability.restart",),
    ),
    "process-compose/schedule.yaml": Taken(
        {("watcher:fg", "autostart"): "no"}, ("processes.fg.schedule", "processes.el.is_elevated")
    ),
}


def test_what_is_expected_is_there() -> None:
    assert set(EXPECTED) <= set(FILES)
    kinds = [name.partition("/")[0] for name in FILES]
    assert {kinds.count(kind) for kind in kinds} == {10}


@pytest.mark.parametrize("name", FILES)
def test_a_shape_of_a_file(name: str, tmp_path: Path) -> None:
    if name.endswith("js") or "commented" in name:
        need("node", "nodejs")
    kind, _, file = name.partition("/")
    ini = tmp_path / "out.ini"
    words = ["import", "--kind", kind, str(SHAPES / kind / file), "-o", str(ini)]
    done = HERE.run("circusctl", "--json", *words)
    assert "Traceback" not in done.stderr
    expected = EXPECTED.get(name)
    if isinstance(expected, Refused):
        assert (done.returncode, ini.exists()) == (2, False)
        assert file in done.stdout + done.stderr
        assert expected.because in done.stdout + done.stderr
        return
    assert done.returncode == 0, done.stdout + done.stderr
    checked = HERE.run("circusd", "--check", str(ini))
    complaints = [
        line for line in checked.stderr.splitlines() if not NOT_ON_THIS_MACHINE.match(line)
    ]
    assert complaints == []
    if expected is not None:
        parser = RawConfigParser(strict=False, comment_prefixes=(";",))
        parser.read(ini)
        options = {key: parser[key[0]][key[1]] for key in expected.options}
        folder = str(SHAPES / kind)
        texts = {key: text.replace("@FOLDER@", folder) for key, text in expected.options.items()}
        assert options == texts
        lost = {loss.split(": ")[1] for loss in json.loads(done.stdout)["lost"]}
        assert set(expected.lost) <= lost
