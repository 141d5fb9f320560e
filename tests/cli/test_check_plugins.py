"""circusd --check tells mistakes in the options of plugins, each with its line."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

CIRCUSD = Path(sys.prefix) / "bin" / "circusd"


def run(folder: Path, section: str, *flags: str) -> tuple[int, str]:
    """Return exit code and what was said about a file that has this section of a plugin."""
    file = folder / "circus.ini"
    head = f"[circus]\nendpoint = ipc://{folder}/c\npubsub_endpoint = ipc://{folder}/e\n"
    file.write_text(f"{head}[watcher:web]\ncmd = sleep 9\n[plugin:x]\n{section}\n")
    (folder / "folder_here").mkdir()
    words = [CIRCUSD, *flags, str(file)]
    done = subprocess.run(words, cwd=folder, capture_output=True, text=True, timeout=60)
    assert "Traceback" not in done.stderr
    return done.returncode, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("section", "told"),
    [
        ("use = json:JSONDecoder", "json.JSONDecoder is not a CircusPlugin"),
        ("use = flaping", "circus.ini:7: [plugin:x] use = flaping: names no plugin; did you mean"),
        ("use = flapping\nattempts = x", "circus.ini:8: [plugin:x] attempts = x: isn't an integer"),
        (
            "use = circus.plugins.http_observer.HttpObserver\ntimeout = soon",
            "circus.ini:8: [plugin:x] timeout = soon: isn't a number",
        ),
        ("use = http_observer\ncheck_url = gopher://x/", "[plugin:x]: check_url isn't an address"),
        ("use = prometheus\nport = 0", "[plugin:x] port = 0: isn't an integer from 1 to 65535"),
        ("use = notifier\nheaders = Bearer sesame", "circus.ini:8: [plugin:x] headers = …: isn't"),
        ("use = redis_observer\nredis_url = http://:sesame@x/", "redis_url isn't an address such"),
    ],
)
def test_a_mistake_is_told_with_its_line(tmp_path: Path, section: str, told: str) -> None:
    code, said = run(tmp_path, section, "--check")
    assert (code, told in said, "sesame" in said) == (1, True, False), said


@pytest.mark.parametrize(
    ("section", "doubt"),
    [
        ("use = statsd_emitter\nhots = x", "hots = x: is no option of this plugin; did you mean"),
        ("use = statsd_emitter\nport = 8126\npriority = 3\nenv.A = b", None),
        ("use = statsd_emitter\nport = many\nactive = False", None),
        ("use = found.only.by.its.Process\nport = many\nenv = PYTHONPATH=/there", None),
        ("use = found.only.by.its.Process\nactive = no", None),
        ("use = folder_here.module.Plugin", "folder_here.module, which is not found"),
        ("use = json.Nothing", "use = json.Nothing: names json.Nothing, which is not found"),
        ("use = cvec_circus_plugins.watchdog:WatchDog", None),
    ],
)
def test_what_does_no_harm_is_good(tmp_path: Path, section: str, doubt: str | None) -> None:
    code, said = run(tmp_path, section, "--check")
    assert code == 0, said
    assert (doubt or "is good: 1 watcher") in said


@pytest.mark.parametrize("section", ["use = flapping", "use = http_observer\nisolate = False"])
def test_the_daemon_does_not_start_with_one_in_a_thread(tmp_path: Path, section: str) -> None:
    code, said = run(tmp_path, f"{section}\nattempts = x\ntimeout = x")
    assert code == 1
    assert "x: isn't a" in said


@pytest.mark.parametrize("flags", [(), ("--check",), ("--skip-bad",)])
@pytest.mark.parametrize(
    ("section", "told"),
    [
        ("use = flappin", "use = flappin: names no plugin; did you mean flapping?"),
        ("use = flappin\nisolate = no", "names no plugin; did you mean flapping?"),
        ("use = no.such.Class", "use = no.such.Class: names the module 'no', which is not found"),
        ("use = shop:Statsd_Emiter", "which is not found; did you mean statsd_emitter?"),
        (
            "use = circus.plugins.flaping.Flapping",
            "names no plugin; did you mean circus.plugins.flapping.Flapping?",
        ),
    ],
)
def test_a_plugin_that_is_not_to_be_found_is_a_mistake(
    tmp_path: Path, section: str, told: str, flags: tuple[str, ...]
) -> None:
    code, said = run(tmp_path, section, *flags)
    assert (code, f"{told}\n" in said) == (1, True), said
    assert "circus.ini:7: [plugin:x] use" in said
