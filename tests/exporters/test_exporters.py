"""``circusctl export``: what other tools say of what was written, and that no option is lost in
silence.
"""

from __future__ import annotations

import json
import subprocess
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.live.daemon import BIN, LIMIT
from tests.programs import need

KINDS = ("compose", "kubernetes", "nomad", "systemd")
CONFIG = """\
[circus]

[socket:web]
host = 127.0.0.1
port = 8080

[socket:file]
path = /run/exported.sock

[watcher:web]
cmd = /usr/bin/env python3 --fd $(circus.sockets.web) "a b" 100% $HOME 'it''s "q"' back\\\\slash
use_sockets = True
working_dir = /tmp
uid = 65534
gid = 65534
umask = 027
rlimit_nofile = 1000
rlimit_core = unlimited
stop_signal = INT
graceful_timeout = 2.5
max_age = 3600
priority = 3

[watcher:Worker One]
cmd = /bin/sleep $(circus.wid)
numprocesses = 3
respawn = False
fleet = spread
where = zone == "a" and disk == "ssd"
max_per_host = 2

[watcher:worker-one]
cmd = /bin/sleep 2
respawn = unexpected
exit_codes = 0, 7
fleet = all
where = zone == "a" or zone == "b"

[watcher:cron]
cmd = echo "it's ${HOME} %{x}" | cat; sleep 10
shell = True
fleet = one

[env:web]
TEXT = a $$b "c" \\d ${e} 50% $$(f) é
"""
VALUE = 'a $b "c" \\d ${e} 50% $(f) é'


@pytest.fixture
def config(tmp_path: Path) -> Path:
    file = tmp_path / "circus.ini"
    file.write_text(CONFIG, encoding="utf-8")
    return file


def export(*words: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(BIN / "circusctl"), *map(str, words)],
        capture_output=True,
        text=True,
        timeout=2 * LIMIT,
    )


def files(kind: str, config: Path) -> dict[str, str]:
    """Return what is written, by file."""
    folder = config.parent / kind
    done = export("export", "-o", folder, kind, config)
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
    return {file.name: file.read_text(encoding="utf-8") for file in folder.iterdir()}


def test_systemd_takes_the_units(config: Path) -> None:
    analyze = need("systemd-analyze", "systemd")
    units = files("systemd", config)
    assert set(units) == {
        *("cron.service", "web.service", "web.socket"),
        *("worker-one@.service", "worker-one.target", "worker-one-2.service"),
    }
    done = subprocess.run(
        [analyze, "verify", "--man=no", *(f"{config.parent}/systemd/{name}" for name in units)],
        capture_output=True,
        text=True,
        timeout=2 * LIMIT,
    )
    complaints = [line for line in done.stderr.split("\n") if f"{config.parent}" in line]
    assert (done.returncode, complaints) == (0, []), done.stderr
    assert 'ExecStart=/bin/sleep "%i"' in units["worker-one@.service"]
    assert "--fd 3 " in units["web.service"]


@pytest.mark.parametrize("broken", ["LimitNOFILE=much", "ExecStart=/not/there"])
def test_systemd_would_say_so(config: Path, broken: str) -> None:
    # The check above can fail.
    analyze = need("systemd-analyze", "systemd")
    text = files("systemd", config)["web.service"]
    unit = config.parent / "web.service"
    unit.write_text(f"{text}\n[Service]\n{broken}\n")
    done = subprocess.run(
        [analyze, "verify", "--man=no", str(unit)], capture_output=True, text=True, timeout=LIMIT
    )
    assert done.stderr


def test_kubernetes_takes_the_manifests(config: Path) -> None:
    validate = import_module("kubernetes_validate")
    documents: list[dict[str, Any]] = list(
        yaml.safe_load_all(files("kubernetes", config)["kubernetes.yaml"])
    )
    kinds = {document["metadata"]["name"]: document["kind"] for document in documents}
    assert kinds == {
        "cron": "StatefulSet",
        "web": "Deployment",
        "worker-one": "Job",
        "worker-one-2": "Job",
    }
    for document in documents:
        validate.validate(document, "1.29", strict=True)
    with pytest.raises(validate.ValidationError):
        validate.validate({**documents[0], "spec": {"replicas": "one"}}, "1.29", strict=True)
    pods = {
        document["metadata"]["name"]: document["spec"]["template"]["spec"] for document in documents
    }
    assert pods["worker-one"]["nodeSelector"] == {"zone": "a", "disk": "ssd"}
    (variable,) = pods["web"]["containers"][0]["env"]
    assert variable["value"].replace("$$(", "$(") == VALUE


def test_a_compose_file_says_the_same(config: Path) -> None:
    services = yaml.safe_load(files("compose", config)["compose.yaml"])["services"]
    assert set(services) == {"cron", "web", "worker-one", "worker-one-2"}
    web = services["web"]
    assert web["environment"]["TEXT"].replace("$$", "$") == VALUE
    assert web["stop_grace_period"] == "2500ms"
    assert web["ulimits"] == {"nofile": 1000, "core": -1}
    assert web["command"][:2] == ["/usr/bin/env", "python3"]
    assert "$$HOME" in web["command"]
    assert services["worker-one"]["deploy"]["replicas"] == 3
    assert services["worker-one-2"]["deploy"] == {"mode": "global"}


def test_nomad_job_files_are_hcl(config: Path) -> None:
    hcl = import_module("hcl2")
    texts = files("nomad", config)
    assert len(texts) == 4
    for text in texts.values():
        assert hcl.loads(text)["job"]
    assert "$${HOME} %%{x}" in texts["cron.nomad.hcl"]


def test_what_systemd_reads_otherwise(tmp_path: Path) -> None:
    config = tmp_path / "circus.ini"
    config.write_text(
        "[socket:any]\nport = 0\n"
        "[watcher:a]\ncmd = /bin/sleep 1\nsockets = any\ngraceful_timeout = 0\n"
    )
    assert "TimeoutStopSec=0.001" in files("systemd", config)["a.service"]
    done = export("export", "systemd", config)
    assert "watcher a: socket any: give its unit a port" in done.stderr


@pytest.mark.parametrize("kind", KINDS)
def test_every_option_is_carried_over_or_told(config: Path, kind: str) -> None:
    done = export("--json", "export", kind, config)
    reply = json.loads(done.stdout)
    lost = "\n".join(reply["lost"])
    for option in ("max_age", "priority", "max_per_host"):
        assert f" {option}: " in lost, option
    # What more than equality asks for is carried over nowhere.
    assert "watcher worker-one: where: " in lost
    if kind in ("compose", "kubernetes", "nomad"):
        assert "watcher web: use_sockets: " in lost
    text = "".join(reply["files"].values())
    for carried in ("2.5" if kind == "systemd" else "250" if kind != "kubernetes" else "3",):
        assert carried in text


@pytest.mark.parametrize(
    ("text", "words", "sentence"),
    [
        (None, ("kubernetes", "FILE"), "FILE is not there"),
        ("[watcher:a]\ncmd = sleep 1\n", ("mesos", "FILE"), "KIND is one of compose, kubernetes"),
        ("[watcher:a]\ncmd =\n", ("compose", "FILE"), "FILE:2: [watcher:a] cmd"),
        ("[circus]\n", ("compose", "FILE"), "FILE has no watcher"),
        ("[watcher:a]\ncmd = x\nfleet = al\n", ("compose", "FILE"), "FILE: watcher a: fleet"),
        ("[watcher:a]\ncmd = x\nwhere = zone =\n", ("nomad", "FILE"), "FILE: watcher a: where"),
        ("[watcher:a]\ncmd = sleep 1\n", ("compose", "FILE", "x"), "'x' is one argument too many"),
    ],
)
def test_a_mistake_is_one_sentence(
    tmp_path: Path, text: str | None, words: tuple[str, ...], sentence: str
) -> None:
    file = tmp_path / "circus.ini"
    if text is not None:
        file.write_text(text)
    done = export("export", *(word.replace("FILE", str(file)) for word in words))
    assert done.returncode == 2
    assert sentence.replace("FILE", str(file)) in done.stderr
    assert "Traceback" not in done.stderr


def test_no_file_is_overwritten(config: Path) -> None:
    assert files("nomad", config)
    done = export("export", "-o", config.parent / "nomad", "nomad", config)
    assert done.returncode == 2
    assert "is already there, and nothing is written" in done.stderr
