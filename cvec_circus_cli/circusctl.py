"""circusctl: commands a running daemon, from the command line or from a shell of its own.

It is started often and by hand, so its start is felt: a plain command loads the module of that
command and the blocking client, and nothing else. What is imported inside a function here is what
a plain command does not need.
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from cvec_circus_cli import exit_codes
from cvec_circus_cli.arguments import UsageError
from cvec_circus_cli.output import fail, json_text
from cvec_circus_cli.requests import Connection
from cvec_circus_cli.run_command import run_command, show_help
from cvec_circus_cli.settings import KEY_COMMANDS, Settings
from cvec_circus_core import api

if TYPE_CHECKING:
    from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what the words say and return the exit code."""
    api.open_missing_streams()
    words = list(sys.argv[1:] if arguments is None else arguments)
    _let_output_wait()
    settings = Settings()
    connection = Connection(settings)
    try:
        code = run(settings, connection, settings.read(words))
        sys.stdout.flush()
    except UsageError as error:
        settings.take_json(words)
        return fail(settings, exit_codes.USAGE, error, f"circusctl: {error}; see circusctl --help")
    except KeyboardInterrupt:
        return fail(settings, exit_codes.NO_ANSWER, "interrupted", "interrupted")
    except BrokenPipeError:
        # Nobody reads on. Python would complain once more when it flushes at the end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return exit_codes.OK
    finally:
        connection.close()
    return code


def _let_output_wait() -> None:
    """Have output wait for its reader, where somebody has set O_NONBLOCK on what we share."""
    for stream in (sys.stdout, sys.stderr):
        try:
            if not os.get_blocking(stream.fileno()):
                os.set_blocking(stream.fileno(), True)
        except (OSError, ValueError, AttributeError):
            continue  # It is closed, or a text in memory.


def run(settings: Settings, connection: Connection, words: Sequence[str]) -> int:
    """Do what the words after the options say: a command, or one of circusctl's own."""
    if not words:
        from cvec_circus_cli.shell import Shell

        return Shell(settings).run()
    name, *rest = words
    if name in KEY_COMMANDS:
        from cvec_circus_cli.keys import run_key_command

        return run_key_command(settings, name, rest)
    match name:
        case "--version":
            reply = {"status": "ok", "version": api.__version__}
            print(
                json_text(settings, reply) if settings.is_json else f"circusctl {api.__version__}"
            )
            return exit_codes.OK
        case "--help" | "-h" | "help":
            return show_help(settings, _with_json(settings, rest))
        case "import":
            from cvec_circus_cli.import_command import run_import

            return run_import(settings, rest)
        case "export":
            from cvec_circus_cli.export_command import run_export

            return run_export(settings, rest)
        case "completion":
            from cvec_circus_cli.completion import print_script

            return print_script(settings, _with_json(settings, rest))
        case "complete":
            from cvec_circus_cli.completion import print_candidates

            return print_candidates(rest)
    return run_command(settings, connection, name, rest)


def _with_json(settings: Settings, words: Sequence[str]) -> Sequence[str]:
    settings.take_json(words)
    return [word for word in words if word not in ("--json", "--prettify")]


if __name__ == "__main__":
    sys.exit(main())
