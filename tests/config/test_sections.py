"""Sections: which there are, how they are named, and what contradicts what."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from cvec_circus_core.config.build import Loaded
from cvec_circus_core.config.load import BadConfig, accepted, sentences_of_left_out
from cvec_circus_core.model.specs import ArbiterSpec

Reader = Callable[..., Loaded]
Teller = Callable[..., list[str]]


def test_an_empty_file_is_all_defaults(read: Reader) -> None:
    loaded = accepted(read(""))
    assert loaded.arbiter == ArbiterSpec()
    assert (loaded.watchers, loaded.sockets, loaded.plugins) == ((), (), ())


def test_everything_is_sorted_by_name(read: Reader) -> None:
    loaded = read(
        "".join(f"[watcher:{name}]\ncmd = x\n" for name in ("b", "C", "a"))
        + "".join(f"[socket:{name}]\nport = 0\n" for name in ("z", "Y"))
        + "".join(f"[plugin:{name}]\nuse = a.B\n" for name in ("q", "p"))
    )
    assert [watcher.name for watcher in loaded.watchers] == ["a", "b", "C"]
    assert [socket.name for socket in loaded.sockets] == ["y", "z"]
    assert [plugin.name for plugin in loaded.plugins] == ["p", "q"]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (
            "[wacher:x]\ncmd = 1\n",
            "app.ini:1: [wacher:x]: is no known section; did you mean watcher:NAME? "
            "(allowed: circus, env, env:LIST, watcher:NAME, socket:NAME or plugin:NAME)",
        ),
        (
            "[program:x]\ncommand = 1\n",
            "app.ini:1: [program:x]: is no known section; did you mean watcher:NAME? "
            "(allowed: circus, env, env:LIST, watcher:NAME, socket:NAME or plugin:NAME)",
        ),
        (
            "[Circus]\n",
            "app.ini:1: [Circus]: is no known section; did you mean circus? "
            "(allowed: circus, env, env:LIST, watcher:NAME, socket:NAME or plugin:NAME)",
        ),
        (
            "[mine]\nx = 1\n",
            "app.ini:1: [mine]: is no known section "
            "(allowed: circus, env, env:LIST, watcher:NAME, socket:NAME or plugin:NAME)",
        ),
        (
            "[circus]\nendpont = x\n",
            "app.ini:2: [circus] endpont = x: is not known; did you mean endpoint?",
        ),
        ("[circus]\nfoo = x\n", "app.ini:2: [circus] foo = x: is not known"),
        (
            "[circus]\ndebug = yes\nhttpd = no\n",
            "app.ini:2: [circus] debug = yes: has no effect in this version",
        ),
        (
            "[circus]\nstream_backend = gevent\n",
            "app.ini:2: [circus] stream_backend = gevent: "
            "is left over from older files and has no effect",
        ),
        *(
            (
                f"{section}{key} = 1\n",
                f"app.ini:{section.count(chr(10)) + 1}: {section.split()[0]} {key} = 1: "
                "is left over from older files and has no effect",
            )
            for section, key in (
                ("[circus]\n", "use_papa"),
                ("[circus]\n", "papa_endpoint"),
                ("[socket:s]\n", "use_papa"),
                ("[watcher:w]\ncmd = x\n", "use_papa"),
            )
        ),
        (
            "[socket:s]\nbakclog = 1\n",
            "app.ini:2: [socket:s] bakclog = 1: is not known; did you mean backlog?",
        ),
        (
            "[watcher:w]\ncmd = x\nnumproceses = 2\n",
            "app.ini:3: [watcher:w] numproceses = 2: is kept as a free-form option; "
            "did you mean numprocesses?",
        ),
        *(
            (
                f"[watcher:w]\ncmd = x\n{key} = 1\n",
                f"app.ini:3: [watcher:w] {key} = 1: is kept as a free-form option; {hint}",
            )
            for key, hint in (
                ("stop_timeout", "did you mean graceful_timeout?"),
                ("stopwaitsecs", "did you mean graceful_timeout?"),
                ("startsecs", "did you mean ready = alive:SECONDS?"),
                ("max_restarts", "did you mean max_retry?"),
                ("cwd", "did you mean working_dir?"),
                ("workdir", "did you mean working_dir?"),
                ("environment", "did you mean the section [env:NAME]?"),
                ("stdout_logfile", "did you mean stdout_stream.filename?"),
                ("KillSignal", "did you mean stop_signal?"),
                ("restart", "did you mean respawn?"),
                ("loglevel", "did you mean loglevel in [circus]?"),
                ("process_name", "workers go by their number, $(circus.wid) in cmd and args"),
                ("foo", "no option has this name (my.foo, with a dot, says that it is meant)"),
            )
        ),
        (
            "[watcher:w]\ncmd = x\nstdout_straem.class = X\n",
            "app.ini:3: [watcher:w] stdout_straem.class = X: is kept as a free-form option; "
            "did you mean stdout_stream.class?",
        ),
        (
            "[watcher:w]\ncmd = x\nhook.after_start = a.b\n",
            "app.ini:3: [watcher:w] hook.after_start = a.b: is kept as a free-form option; "
            "did you mean hooks.after_start?",
        ),
        (
            "[watcher:w]\ncmd = x\nWorking_Dir = /\n",
            "app.ini:3: [watcher:w] Working_Dir = /: is kept as a free-form option; "
            "did you mean working_dir?",
        ),
        (
            "[watcher:w]\ncmd = x\nuid = a\nuser = b\n",
            "app.ini:4: [watcher:w] user = b: means the same as uid, which counts",
        ),
        (
            "[watcher:w]\ncmd = x\nshell_args = a\n",
            "app.ini:3: [watcher:w] shell_args = a: has no effect without shell",
        ),
        ("[watcher:w]\n", "app.ini:1: [watcher:w]: is empty and left out"),
        (
            "[watcher:web]\ncmd = x\n[env:webb,we*]\nX = 1\n",
            "app.ini:3: [env:webb,we*]: "
            "matches no watcher or plugin with 'webb'; did you mean web?",
        ),
        (
            "[plugin:p]\nuse = x\n[env:typo]\nX = 1\n",
            "app.ini:3: [env:typo]: matches no watcher or plugin with 'typo'",
        ),
        ("[env:]\nX = 1\n", "app.ini:1: [env:]: names no watcher, so it has no effect"),
        (
            "[watcher:a, b*]\ncmd = x\n",
            "app.ini:1: [watcher:a, b*]: has a name that commands take for more: ' ', '*', ','",
        ),
        ("[socket:w]\n", "app.ini:1: [socket:w]: is empty and left out"),
    ],
)
def test_warnings(read: Reader, told: Teller, text: str, line: str) -> None:
    loaded = read(text)
    assert not loaded.problems
    assert told(loaded.warnings) == [line]


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        (
            "[env]\nBAD NAME = 1\nGOOD = 2\n[env:*]\n$X = 1\n[watcher:w]\ncmd = x\n",
            [
                "app.ini:2: [env] BAD NAME = 1: isn't the name of a variable "
                "(allowed: letters, digits, _ . - and %)",
                "app.ini:5: [env:*] $X = 1: isn't the name of a variable "
                "(allowed: letters, digits, _ . - and %)",
            ],
        ),
        (
            "[watcher:w]\npriority = 1\n",
            ["app.ini:1: [watcher:w] cmd: is missing (allowed: the command line to run)"],
        ),
        (
            "[watcher:w]\ncmd =\n",
            ['app.ini:2: [watcher:w] cmd = "": is missing (allowed: the command line to run)'],
        ),
        (
            "[watcher:w]\ncmd = it's\n",
            ["app.ini:2: [watcher:w] cmd = it's: has quotes that do not match"],
        ),
        (
            "[watcher:w]\ncmd = sh -c 'a > f; b ; c'\n",
            [
                "app.ini:2: [watcher:w] cmd = sh -c 'a > f; b: has quotes that do not match; "
                "white space and ; in a value begin a comment, even between quotes"
            ],
        ),
        (
            "[watcher:w]\ncmd = sh\nargs = -c 'a ; b'\n",
            [
                "app.ini:3: [watcher:w] args = -c 'a: isn't a list of words "
                "(no closing quotation); "
                "white space and ; in a value begin a comment, even between quotes "
                "(allowed: words, split like a shell would)"
            ],
        ),
        (
            "[watcher:w]\ncmd = x\nargs = it's\n",
            [
                "app.ini:3: [watcher:w] args = it's: isn't a list of words (no closing quotation) "
                "(allowed: words, split like a shell would)"
            ],
        ),
        (
            "[watcher:w]\ncmd = x\nsingleton = yes\nnumprocesses = 2\n",
            [
                "app.ini:4: [watcher:w] numprocesses = 2: is more than a singleton may have "
                "(allowed: 0 or 1)"
            ],
        ),
        (
            "[watcher:w]\ncmd = x\ncopy_env = no\ncopy_path = yes\nvirtualenv = /v\n",
            [
                "app.ini:4: [watcher:w] copy_path = yes: needs copy_env",
                "app.ini:5: [watcher:w] virtualenv = /v: needs copy_env",
            ],
        ),
        (
            "[watcher:w]\ncmd = x\nstdout_stream.max_bytes = 5\n",
            ["app.ini:3: [watcher:w] stdout_stream: says neither class nor filename"],
        ),
        (
            "[watcher:w]\ncmd = x\nstderr_stream.class =\n",
            ["app.ini:3: [watcher:w] stderr_stream: says neither class nor filename"],
        ),
        (
            "[watcher:w]\ncmd = x\nstdin_socket = web\n",
            [
                "app.ini:3: [watcher:w] stdin_socket = web: is no managed socket "
                "(allowed: none is defined)"
            ],
        ),
        (
            "[socket:a]\nport = 0\n[watcher:w]\ncmd = x $(circus.sockets.b)\nuse_sockets = 1\n",
            [
                "app.ini:4: [watcher:w] cmd = x $(circus.sockets.b): "
                "names the socket 'b', which is not defined (allowed: a)"
            ],
        ),
        (
            "[socket:a]\nport = 0\n[watcher:w]\ncmd = x\nargs = --fd ((CIRCUS.Sockets.A))\n",
            ["app.ini:3: [watcher:w] use_sockets: must be on, because args names the socket 'a'"],
        ),
        (
            "[watcher:w]\ncmd = x\non_demand = yes\n",
            [
                "app.ini:3: [watcher:w] on_demand = yes: "
                "needs a socket: stdin_socket, sockets, or use_sockets"
            ],
        ),
        (
            "[watcher:Web]\ncmd = x\n[watcher:web]\ncmd = y\n",
            [
                "app.ini:3: [watcher:web]: is the same name as [watcher:Web], "
                "because case does not count"
            ],
        ),
        (
            "[socket:Web]\nport = 0\n[socket:web]\nport = 1\n",
            [
                "app.ini:3: [socket:web]: is the same name as [socket:Web], "
                "because case does not count"
            ],
        ),
        ("[watcher:]\ncmd = x\n", ["app.ini:1: [watcher:]: has no name (allowed: watcher:NAME)"]),
        (
            "[plugin:p]\nhost = x\n",
            ["app.ini:1: [plugin:p] use: is missing (allowed: the name of a plugin's class)"],
        ),
        (
            "[plugin:p]\nuse =\n",
            ['app.ini:2: [plugin:p] use = "": is missing (allowed: the name of a plugin\'s class)'],
        ),
        (
            "[plugin:p]\nuse = a.B\npriority = high\nactive = x\n",
            [
                "app.ini:3: [plugin:p] priority = high: isn't an integer",
                "app.ini:4: [plugin:p] active = x: isn't a boolean "
                "(allowed: yes, true, on, 1, no, false, off or 0)",
            ],
        ),
        (
            "[plugin:P]\nuse = a.B\n[watcher:plugin:p]\ncmd = x\n",
            ["app.ini:3: [watcher:plugin:p]: has the name of the watcher that keeps [plugin:P]"],
        ),
        (
            "[env]\nA = x\0y\n",
            ["app.ini:2: [env] A = x\\x00y: isn't a text without NUL characters"],
        ),
        ("[socket:s]\nfamily = AF_UNIX\n", ["app.ini:2: [socket:s] family = AF_UNIX: needs path"]),
        (
            "[socket:s]\npath = /x\nso_reuseport = yes\n",
            ["app.ini:3: [socket:s] so_reuseport = yes: is not for Unix sockets"],
        ),
        (
            "[circus]\nendpoint = tcp://127.0.0.1:5556\n",
            ["app.ini:1: [circus] pubsub_endpoint: is the same as endpoint"],
        ),
    ],
)
def test_problems(read: Reader, told: Teller, text: str, lines: list[str]) -> None:
    loaded = read(text)
    assert told(loaded.problems) == lines
    assert not loaded.warnings
    with pytest.raises(BadConfig) as refused:
        accepted(loaded)
    assert refused.value.problems == loaded.problems


def test_the_console_brings_a_socket(read: Reader) -> None:
    watcher = "[watcher:w]\nuse_sockets = 1\ncmd = $(circus.sockets.circushttpd)\n"
    assert not read(f"[circus]\nhttpd = 1\n{watcher}").problems


@pytest.mark.parametrize(
    "text",
    [
        "[watcher:w]\ncmd = echo it's\nshell = yes\n",
        "[watcher:w]\ncmd = x\nsingleton = yes\nnumprocesses = 0\n",
        "[socket:Web]\nport = 0\n[watcher:w]\ncmd = x\nstdin_socket = WEB\non_demand = 1\n",
        "[socket:Web]\nport = 0\n[watcher:w]\ncmd = x $(circus.sockets.WEB)\nuse_sockets = 1\n",
        "[socket:s]\npath = /x\nfamily = AF_INET\n",
        "[circus]\nendpoint = tcp://127.0.0.1:0\npubsub_endpoint = tcp://127.0.0.1:0\n",
        "[circus]\nhttpd = 0\n[env]\nX = 1\n[env:w, plugin:*]\nX = 2\n"
        "[watcher:W]\ncmd = x\n[plugin:p]\nuse = a\n",
        "[env:plugin:p]\nnpm_config.a-b = 1\nBASH_FUNC_x%% = () { :; }\n[plugin:p]\nuse = a\n",
        "[watcher:a.b-c]\ncmd = x\n",
        "[watcher:w]\ncmd = x\nmy.foo = 1\nflapping.attempts = 3\nretry_in = 2\n",
        "[watcher:w]\ncmd = x $(circus.Foo)\nfoo = 1\n",
    ],
)
def test_allowed(read: Reader, text: str) -> None:
    loaded = read(text)
    assert not loaded.problems
    assert not loaded.warnings


@pytest.mark.parametrize(
    ("text", "statsd", "endpoint"),
    [
        ("", False, None),
        ("statsd = yes", True, "tcp://127.0.0.1:5557"),
        ("stats_endpoint = tcp://127.0.0.1:9", True, "tcp://127.0.0.1:9"),
        ("stats_endpoint = tcp://127.0.0.1:9\nstatsd = no", False, "tcp://127.0.0.1:9"),
        ("stats_endpoint =", False, None),
    ],
)
def test_statistics_are_on_where_they_are_configured(
    read: Reader, text: str, statsd: bool, endpoint: str | None
) -> None:
    arbiter = read(f"[circus]\n{text}\n").arbiter
    assert (arbiter.statsd, arbiter.stats_endpoint) == (statsd, endpoint)


def test_a_plugin_has_options_and_a_watcher(read: Reader) -> None:
    loaded = read(
        "[env:plugin:*]\nX = 1\n"
        "[plugin:P]\nuse = a.B\nhost = h\nname = a b\npriority = 5\nmax_retry = 3\n"
        "stdout_stream.class = StdoutStream\nrlimit_core = 0\n"
    )
    assert not loaded.problems
    (plugin,) = loaded.plugins
    assert (plugin.name, plugin.use, plugin.active) == ("P", "a.B", True)
    assert plugin.options == {"host": "h", "name": "a b", "priority": "5", "max_retry": "3"}
    watcher = plugin.watcher
    assert (watcher.name, watcher.priority, watcher.max_retry) == ("plugin:P", 5, 3)
    assert (watcher.singleton, watcher.copy_env, watcher.copy_path) == (True, True, True)
    assert (watcher.close_child_stdout, watcher.close_child_stderr) == (False, False)
    assert watcher.stdout_stream == {"class": "StdoutStream"}
    assert (watcher.rlimits, watcher.env) == ({"core": 0}, {"X": "1"})


def test_a_plugin_may_have_several_processes(read: Reader) -> None:
    loaded = read("[plugin:p]\nuse = a.B\nnumprocesses = 2\nactive = no\n")
    (plugin,) = loaded.plugins
    assert (plugin.active, plugin.options["active"]) == (False, "no")
    assert (plugin.watcher.singleton, plugin.watcher.numprocesses) == (False, 2)


@pytest.mark.parametrize(
    ("line", "isolate"), [("", None), ("isolate = no", False), ("isolate = 1", True)]
)
def test_where_a_plugin_runs_is_not_told_to_its_class(
    read: Reader, line: str, isolate: bool | None
) -> None:
    (plugin,) = read(f"[plugin:p]\nuse = a.B\n{line}\n").plugins
    assert (plugin.isolate, plugin.options) == (isolate, {})


BAD_AND_GOOD = """
[watcher:bad]
cmd = x
priority = y
[watcher:worse]
broken
cmd = x
[watcher:good]
cmd = x
"""


def test_bad_watchers_can_be_left_out(read: Reader) -> None:
    loaded = read(BAD_AND_GOOD)
    with pytest.raises(BadConfig):
        accepted(loaded)
    kept = accepted(loaded, skip_bad=True)
    assert [watcher.name for watcher in kept.watchers] == ["good"]
    assert kept.problems == ()
    assert (kept.left_out, kept.warnings) == (loaded.problems, ())
    assert accepted(read(f"[circus]\nskip_bad = yes\n{BAD_AND_GOOD}")).watchers == kept.watchers


def test_bad_sockets_can_be_left_out(read: Reader) -> None:
    loaded = read("[socket:S]\nport = x\n[socket:t]\nport = 0\n")
    kept = accepted(loaded, skip_bad=True)
    assert [socket.name for socket in kept.sockets] == ["t"]
    assert (kept.left_out, kept.warnings) == (loaded.problems, ())


def test_what_is_left_out_is_told_in_a_sentence_each(read: Reader, told: Teller) -> None:
    kept = accepted(read(f"{BAD_AND_GOOD}[socket:s]\nport = y\nmode = z\n"), skip_bad=True)
    assert told(tuple(sentences_of_left_out(kept))) == [
        "watcher bad is left out: app.ini:4: [watcher:bad] priority = y: isn't an integer",
        "watcher worse is left out: app.ini:6: [watcher:worse]: "
        "'broken' has no value; write NAME = VALUE",
        "socket s is left out: app.ini:11: [socket:s] port = y: isn't an integer "
        "(allowed: an integer from 0 to 65535); app.ini:12: [socket:s] mode = z: "
        "isn't an octal number (allowed: an octal number such as 022)",
    ]


@pytest.mark.parametrize("text", ["[circus]\nhttpd = x\n", "x\n"])
def test_nothing_else_can_be_left_out(read: Reader, text: str) -> None:
    with pytest.raises(BadConfig) as refused:
        accepted(read(text), skip_bad=True)
    assert len(refused.value.reason.splitlines()) == 1


def test_one_mistake_hides_no_other(read: Reader, told: Teller) -> None:
    loaded = read(
        "[circus]\nhttpd_port = x\nendpoint = y\nbroken\n"
        "[watcher:w]\npriority = a\nstop_signal = b\n"
        "[socket:s]\nport = c\n[plugin:p]\nactive = d\n"
    )
    assert [line.partition(": ")[0] for line in told(loaded.problems)] == [
        *("app.ini:2", "app.ini:3", "app.ini:4", "app.ini:5", "app.ini:6", "app.ini:7"),
        *("app.ini:9", "app.ini:10", "app.ini:11"),
    ]


def test_a_check_delay_of_never_is_taken_with_a_warning(read: Reader) -> None:
    loaded = read("[circus]\ncheck_delay = -1\n[watcher:w]\ncmd = w\n")
    assert (loaded.problems, loaded.arbiter.check_delay) == ((), -1.0)
    assert "check_delay = -1: is taken, and has no effect" in str(loaded.warnings[0])
