"""How a spec becomes a launch plan: variables, words, shell, environment, virtual environment."""

from __future__ import annotations

from typing import Any

import pytest

from cvec_circus_core.model.launch import Channel, LaunchPlan
from cvec_circus_core.model.specs import WatcherSpec
from cvec_circus_core.policy.launch import Launch, SpawnEnvironment, expand, prepare

AROUND = SpawnEnvironment(
    environ={"HOME": "/root", "PATH": "/bin", "SECRET": "a$BCD $WID $(circus.wid)"},
    import_path=("/app", "/lib/py"),
    sockets=("admin", "web"),
    working_dir="/srv",
    python="python3.12",
)


def launch(around: SpawnEnvironment = AROUND, **options: Any) -> Launch:
    return prepare(WatcherSpec(**{"name": "Web", "cmd": "web", **options}), around)


def plan_of(wid: int = 3, **options: Any) -> LaunchPlan:
    return launch(**options).for_slot(wid).with_numbers({"web": 7, "admin": 8})


@pytest.mark.parametrize(
    ("word", "becomes"),
    [
        ("$(circus.wid)", "3"),
        ("((circus.wid))", "3"),
        ("((CIRCUS.WID))", "3"),
        ("$WID", "3"),
        ("a-$WID.sock", "a-3.sock"),
        ("x$WID$WID", "x33"),
        ("$wid", "$wid"),
        ("$WIDE", "$WIDE"),
        ("${WID}", "${WID}"),
        ("$HOME", "$HOME"),
        ("$(circus.env.HOME)", "/root"),
        ("((circus.env.home))", "/root"),
        ("(CIRCUS.ENV.HOME)", "(CIRCUS.ENV.HOME)"),
        ("$(CIRCUS.ENV.HOME)", "/root"),
        ("$(circus.env.OWN)", "mine"),
        ("$(circus.env.NOBODY)", "$(circus.env.NOBODY)"),
        ("$(circus.sockets.web)", "7"),
        ("((circus.sockets.ADMIN))", "8"),
        ("$(circus.name)", "Web"),
        ("$(circus.numprocesses)", "4"),
        ("$(circus.priority)", "-2"),
        ("$(circus.working_dir)", "/srv"),
        ("$(circus.uid)", "www"),
        ("$(circus.gid)", ""),
        ("$(circus.shell)", "False"),
        ("$(circus.executable)", "/opt/web"),
        ("$(circus.umask)", "022"),
        ("$(circus.shell_args)", "a 'b c'"),
        ("$(circus.cmd)", "web"),
        ("$(circus.foo)", "free"),
        ("$(circus.flapping.max_retry)", "9"),
        ("$(circus.nothing)", "$(circus.nothing)"),
        ("$(circus.)", "$(circus.)"),
    ],
)
def test_a_variable_in_a_word(word: str, becomes: str) -> None:
    plan = plan_of(
        args=(word,),
        numprocesses=4,
        priority=-2,
        uid="www",
        umask=0o022,
        executable="/opt/web",
        shell_args=("a", "b c"),
        env={"OWN": "mine"},
        extra={"Foo": "free", "flapping.max_retry": "9", "wid": "no", "name": "no"},
    )
    assert plan.argv == ("web", becomes)


class TestValues:
    def test_are_text_even_if_they_look_like_a_variable(self) -> None:
        plan = plan_of(cmd="web $(circus.env.SECRET) $WID")
        assert plan.argv == ("web", "a$BCD $WID $(circus.wid)", "3")

    def test_copied_from_the_daemon_stay_as_they_are(self) -> None:
        plan = plan_of(cmd="web $WID")
        assert plan.env == AROUND.environ

    def test_of_an_option_that_names_another_are_text(self) -> None:
        assert plan_of(cmd="w $(circus.foo)", extra={"foo": "$(circus.name)"}).argv[1] == (
            "$(circus.name)"
        )

    def test_do_not_split_words(self) -> None:
        assert plan_of(cmd="web $(circus.env.SECRET)").argv[1:] == ("a$BCD $WID $(circus.wid)",)

    @pytest.mark.parametrize("text", ["plain", "a(b)", "$", "100%"])
    def test_without_variables_nothing_changes(self, text: str) -> None:
        assert expand(text, {}) == text


class TestWords:
    @pytest.mark.parametrize(
        ("cmd", "args", "argv"),
        [
            ("web --port 80", (), ("web", "--port", "80")),
            ("'my web' -v", ("a b",), ("my web", "-v", "a b")),
            ("", ("web", "-v"), ("web", "-v")),
            ('web ""', (), ("web", "")),
        ],
    )
    def test_are_split_like_a_shell_would(
        self, cmd: str, args: tuple[str, ...], argv: tuple[str, ...]
    ) -> None:
        assert plan_of(cmd=cmd, args=args).argv == argv

    @pytest.mark.parametrize("shell", [False, True])
    @pytest.mark.parametrize("cmd", ["", "  "])
    def test_must_be_there(self, cmd: str, shell: bool) -> None:
        with pytest.raises(ValueError, match="watcher 'Web' has no cmd"):
            launch(cmd=cmd, shell=shell)

    def test_with_an_open_quote_are_refused_in_a_sentence(self) -> None:
        with pytest.raises(ValueError, match="cmd of watcher 'Web' can not be split"):
            launch(cmd="web 'a")


class TestShell:
    def test_gets_the_line_as_it_is_written(self) -> None:
        plan = plan_of(cmd="web > $HOME/$WID.log; true", shell=True)
        assert plan.argv == ("/bin/sh", "-c", "web > $HOME/3.log; true")

    def test_words_come_after_the_line(self) -> None:
        plan = plan_of(cmd="echo $0 $1", shell=True, shell_args=("zero", "$(circus.wid)"))
        assert plan.argv == ("/bin/sh", "-c", "echo $0 $1", "zero", "3")

    def test_args_are_quoted_after_their_variables_are_replaced(self) -> None:
        plan = plan_of(
            cmd="echo", args=("$(circus.foo)", "b"), shell=True, extra={"foo": "it's; rm"}
        )
        assert plan.argv[2] == """echo 'it'"'"'s; rm' b"""

    def test_may_be_another_one(self) -> None:
        plan = plan_of(cmd="echo", shell=True, executable="/bin/bash")
        assert (plan.executable, plan.argv[0]) == ("/bin/bash", "/bin/sh")

    def test_can_split_what_no_word_list_could(self) -> None:
        assert plan_of(cmd="echo it's <<END", shell=True).argv[2] == "echo it's <<END"


class TestEnvironment:
    @pytest.mark.parametrize(
        ("options", "env"),
        [
            ({"copy_env": False}, {}),
            ({"copy_env": False, "env": {"A": "1"}}, {"A": "1"}),
            ({}, dict(AROUND.environ)),
            ({"env": {"A": "1", "HOME": "/h"}}, {**AROUND.environ, "A": "1", "HOME": "/h"}),
        ],
    )
    def test_is_the_daemons_and_the_own(self, options: dict[str, Any], env: dict[str, str]) -> None:
        assert plan_of(**options).env == env

    @pytest.mark.parametrize(
        ("env", "name", "value"),
        [
            ({"SLOT": "s$WID"}, "SLOT", "s3"),
            ({"SLOT": "$(circus.wid)/((circus.numprocesses))"}, "SLOT", "3/1"),
            ({"FD": "$(circus.sockets.web)"}, "FD", "7"),
            ({"PATH": "/opt:$(circus.env.PATH)"}, "PATH", "/opt:/bin"),
            ({"A": "1", "B": "$(circus.env.A)2"}, "B", "12"),
            ({"B": "$(circus.env.A)2", "A": "1"}, "B", "$(circus.env.A)2"),
            ({"A": "$(circus.env.SECRET)"}, "A", AROUND.environ["SECRET"]),
        ],
    )
    def test_replaces_variables_entry_by_entry(
        self, env: dict[str, str], name: str, value: str
    ) -> None:
        assert plan_of(env=env).env[name] == value

    def test_is_what_the_command_line_sees(self) -> None:
        plan = plan_of(cmd="web $(circus.env.SLOT)", env={"SLOT": "s$WID"})
        assert plan.argv == ("web", plan.env["SLOT"])

    @pytest.mark.parametrize(
        ("options", "path"),
        [
            ({}, "/app:/lib/py"),
            ({"env": {"PYTHONPATH": "/mine"}}, "/mine:/app:/lib/py"),
            ({"virtualenv": "/venv"}, "/venv/lib/python3.12/site-packages:/app:/lib/py"),
            (
                {"virtualenv": "/venv", "env": {"PYTHONPATH": "/mine"}},
                "/mine:/venv/lib/python3.12/site-packages:/app:/lib/py",
            ),
        ],
    )
    def test_takes_the_import_path_along(self, options: dict[str, Any], path: str) -> None:
        assert plan_of(copy_path=True, **options).env["PYTHONPATH"] == path

    @pytest.mark.parametrize("env", [{}, {"PATH": "/bin"}, {"OTHER": "$WID"}])
    def test_puts_a_virtual_environment_first(self, env: dict[str, str]) -> None:
        plan = plan_of(virtualenv="/venv", env=env).env
        assert plan["VIRTUAL_ENV"] == "/venv"
        assert plan["PATH"] == "/venv/bin:/bin"
        assert plan["PYTHONPATH"] == "/venv/lib/python3.12/site-packages"

    def test_of_a_virtual_environment_may_name_its_python(self) -> None:
        plan = plan_of(virtualenv="/venv", virtualenv_py_ver="3.9")
        assert plan.env["PYTHONPATH"] == "/venv/lib/python3.9/site-packages"


class TestPlan:
    def test_is_the_same_object_for_all_slots_where_nothing_varies(self) -> None:
        plan = launch(cmd="web -v", env={"A": "1"})
        assert plan.for_slot(1) is plan.for_slot(2)

    @pytest.mark.parametrize(
        "options",
        [
            {"cmd": "web $WID"},
            {"args": ("((circus.WID))",)},
            {"env": {"A": "$(circus.wid)"}},
            {"cmd": "web", "shell": True, "shell_args": ("$WID",)},
        ],
    )
    def test_varies_with_the_slot(self, options: dict[str, Any]) -> None:
        plan = launch(**options)
        assert plan.for_slot(1) != plan.for_slot(2)
        assert plan.for_slot(2) == plan.for_slot(2)

    @pytest.mark.parametrize(("given", "used"), [(None, "/srv"), ("/data", "/data")])
    def test_starts_in_a_folder(self, given: str | None, used: str) -> None:
        plan = plan_of(cmd="web $(circus.working_dir)", working_dir=given)
        assert (plan.working_dir, plan.argv[1]) == (used, used)

    def test_carries_the_rest_as_it_is(self) -> None:
        plan = plan_of(
            uid="www", gid=33, umask=0o27, rlimits={"nofile": 9}, close_child_stdout=True
        )
        assert (plan.uid, plan.gid, plan.umask, plan.rlimits) == ("www", 33, 0o27, {"nofile": 9})
        assert (plan.stdin, plan.stdout, plan.stderr) == (
            Channel.NULL,
            Channel.NULL,
            Channel.INHERIT,
        )
