"""The section ``[fleet]``: what is taken, what is refused and where, and what is never shown."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from cvec_circus_core.config.load import load
from cvec_circus_core.config.outside_faults import OutsideChecks
from cvec_circus_core.hosting.classes import plugin_faults
from cvec_circus_plugins.formats.ini import IniFormat
from tests.fleet.conftest import PASSWORD, EtcdServer
from tests.live.daemon import BIN, LIMIT, Daemon, until

WELL = "etcd = http://10.0.0.1:2379 http://10.0.0.2:2379"
CERTIFIED = "etcd = https://10.0.0.1:2379"


def mistakes(folder: Path, body: str) -> list[str]:
    """Return all problems and warnings of a configuration, each with file and line."""
    file = folder / "circus.ini"
    file.write_text(body)
    loaded = load(
        file,
        [IniFormat()],
        {},
        OutsideChecks(plugins=lambda plugin: plugin_faults(plugin.use, plugin.options)),
    )
    return [
        str(problem).removeprefix(f"{folder}/") for problem in (*loaded.problems, *loaded.warnings)
    ]


def test_the_section_is_that_of_the_plugin(tmp_path: Path) -> None:
    options = f"{WELL}\nname = a\nlabels = zone:a disk:ssd\naddress = tcp://10.0.0.1:5555\n"
    file = tmp_path / "circus.ini"
    plugins = []
    for head in ("[fleet]", "[plugin:fleet]\nuse = fleet"):
        file.write_text(f"{head}\n{options}")
        loaded = load(file, [IniFormat()], {})
        assert not loaded.problems
        assert not loaded.warnings
        plugins.append(loaded.plugins)
    assert plugins[0] == plugins[1]
    assert [plugin.name for plugin in plugins[0]] == ["fleet"]
    assert not mistakes(tmp_path, "[fleet]\n")  # a machine with an etcd of its own needs no option


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ("etcd = ftp://a", "circus.ini:2: [fleet] etcd = ftp://a: isn't an address such as"),
        ("etcd = http://a http://:1", "circus.ini:2: [fleet] etcd = .*'http://:1'"),
        ("etcd = http://a:99999", "circus.ini:2: [fleet] etcd = .*'http://a:99999'"),
        (
            "etcd = http://me:secret@a",
            r"circus.ini:2: \[fleet\] etcd.*: isn't an address alone \(give user and password",
        ),
        ('etcd = ""', "circus.ini:2: .*etcd"),
        (f"{WELL}\nname = a b", "circus.ini:3: [fleet] name = a b: isn't made of letters"),
        (f"{WELL}\nlabels = zone", "circus.ini:3: [fleet] labels = zone: isn't LABEL:VALUE"),
        (f"{WELL}\nlabels = a:1 a:2", "circus.ini:3: [fleet] labels = a:1 a:2: has a twice"),
        (f"{WELL}\naddress = 10.0.0.1", "circus.ini:3: [fleet] address = 10.0.0.1: isn't an endp"),
        (f"{WELL}\nlease = 1", "circus.ini:3: [fleet] lease = 1: isn't a number at least 2"),
        (f"{WELL}\nlease = 2h", "circus.ini:3: [fleet] lease = 2h: is more than 3600 s"),
        (f"{WELL}\n\nmargin = 5", "circus.ini:4: [fleet] margin = 5: is half of lease or more"),
        (f"{WELL}\nleese = 3", "circus.ini:3: [fleet] leese = 3: .*did you mean lease?"),
        (f"{WELL}\nuser = root", "circus.ini:1: [fleet] password_file: is missing beside user"),
        (f"{WELL}\npassword_file = /p", "circus.ini:1: [fleet] user: is missing beside"),
        (
            f"{WELL}\nuser = u\npassword_file = /not/there",
            "circus.ini:4: [fleet] password_file = /not/there: can not be used: .*",
        ),
        (f"{WELL}\ncafile = /dev/null", "circus.ini:2: [fleet] etcd = .*without https://"),
        (f"{CERTIFIED}\ncafile = /no", "circus.ini:3: [fleet] cafile = /no: can not be read: No"),
        (f"{CERTIFIED}\nkeyfile = /dev/null", "circus.ini:1: [fleet] certfile: is missing beside"),
        (
            f"{WELL}\n[plugin:fleet]\nuse = fleet",
            "circus.ini:1: [fleet]: is the same as [plugin:fleet], which is there, too",
        ),
    ],
)
def test_a_mistake_is_told_with_its_place(tmp_path: Path, lines: str, expected: str) -> None:
    pattern = expected if "\\[" in expected else expected.replace("[", r"\[").replace("]", r"\]")
    found = mistakes(tmp_path, f"[fleet]\n{lines}\n")
    assert any(re.match(pattern.replace("mean lease?", r"mean lease\?"), text) for text in found), (
        found
    )


def test_all_mistakes_are_told_at_once(tmp_path: Path) -> None:
    body = "[fleet]\netcd = ftp://a\nname = a b\nlabels = zone\nlease = x\n"
    assert len(mistakes(tmp_path, body)) == 4
    body = f"[fleet]\n{WELL}\nlabels = a:1 a:2\nmargin = 7\ncafile = /no\nuser = u\n"
    assert len(mistakes(tmp_path, body)) == 5


def test_options_of_watchers_of_a_fleet_are_told_where_they_belong(tmp_path: Path) -> None:
    (found,) = mistakes(tmp_path, "[watcher:web]\ncmd = sleep 9\nfleet = spread\n")
    assert "circusctl fleet apply" in found


@pytest.mark.live
@pytest.mark.timeout(300)
@pytest.mark.parametrize("source", ["file", "environment"])
def test_an_etcd_that_asks_for_a_certificate_and_a_password(
    secret_etcd: tuple[EtcdServer, Path], tmp_path: Path, source: str
) -> None:
    server, certificate = secret_etcd
    secret = tmp_path / "password"
    secret.write_text(f"{PASSWORD}\n")
    secret.chmod(0o600)
    password = {
        "file": f"password_file = {secret}",
        "environment": "password = $(circus.env.ETCD_PASSWORD)",
    }[source]
    daemon = Daemon(
        # An endpoint that does not answer comes first.
        f"[fleet]\netcd = https://127.0.0.1:9 {server.endpoint}\nname = a\n"
        f"folder = {tmp_path / 'state'}\nuser = root\n{password}\ncafile = {certificate}\n"
        f"certfile = {certificate}\nkeyfile = {certificate.with_suffix('.key')}\n"
    )
    try:
        daemon.launch(**{"ETCD_PASSWORD": PASSWORD} if source == "environment" else {})
        until(lambda: daemon.said("Starting master"))
        until(lambda: "alive" in daemon.control("fleet", "hosts").stdout, 2 * LIMIT)
        # Who may do everything sees the daemon's environment, with what stands there.
        shows_all = () if source == "environment" else (("options", "plugin:fleet"),)
        for words in (*shows_all, ("globaloptions",), ("plugins",), ("stats",), ("fleet", "hosts")):
            done = daemon.control(*words)
            assert PASSWORD not in done.stdout + done.stderr, words
        assert PASSWORD not in daemon.text()
        for pid in daemon.alive():
            command_line = Path(f"/proc/{pid}/cmdline").read_bytes().decode()
            assert PASSWORD not in command_line
        daemon.account()
    finally:
        daemon.clean_up()


@pytest.mark.live
@pytest.mark.timeout(300)
def test_who_is_in_no_fleet_imports_nothing_of_it(tmp_path: Path) -> None:
    # What is not imported costs nothing; the same look finds the modules where there is a section.
    for section, is_expected in (("", False), (f"[fleet]\nfolder = {tmp_path}\n", True)):
        daemon = Daemon(f"{section}[watcher:web]\ncmd = sleep 1000\n")
        daemon.program = (str(BIN / "python"), "-X", "importtime", str(BIN / "circusd"))
        try:
            daemon.start()
            daemon.until_active("web")
            if section:
                daemon.call("fleet", act="hosts")
            daemon.stop()
            modules = set(re.findall(r"^import time:.*\| +(\S+)$", daemon.text(), re.MULTILINE))
            assert "cvec_circus_core.config.build" in modules
            of_fleet = {
                name
                for name in modules
                if name.startswith("cvec_circus_plugins.fleet") or name == "httpx"
            }
            assert bool(of_fleet) is is_expected, of_fleet
        finally:
            daemon.clean_up()
