"""The entp command.

Exit codes: 0 done, 1 failed, 2 wrong use, 3 done with rejected or failed rows, 130 interrupted (Ctrl-C),
143 terminated (SIGTERM).
"""

from __future__ import annotations

import importlib
import os
import sys

import click

from ..records.errors import EntpError
from .output import printable
from .stopping import INTERRUPTED, Stopping

FAILED, WRONG_USE, WITH_FAILURES = 1, 2, 3

# command -> module that holds it; imported when it is used, since some need seconds
COMMANDS = {
    "run": "stages",
    "load": "stages",
    "rate": "stages",
    "embed": "stages",
    "score": "stages",
    "select": "stages",
    "fuse": "stages",
    "blend": "stages",
    "export": "stages",
    "status": "views",
    "show": "views",
    "list": "views",
    "verify": "views",
    "prune": "prune",
    "replay": "replay",
    "graph": "draw",
    "studio": "studio",
    "demo": "demo",
}


class LazyGroup(click.Group):
    """A group that imports a command when it is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """All commands, in the order of a run."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of a name, or None."""
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f".{COMMANDS[cmd_name]}", __package__)
        command: click.Command = module.COMMANDS[cmd_name]
        return command


EXAMPLES = """\b
See it work, with no key and no network:   entp demo
Do the whole job on your own data:         entp run pool.jsonl --run runs/first
"""


@click.group(cls=LazyGroup, epilog=EXAMPLES, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="entp")
def entp() -> None:
    """Turn the low-quality rows of an instruction-tuning pool into good training rows."""


def main() -> None:
    """Run the command and exit."""
    with Stopping() as stopping:
        sys.exit(_code_of_command(stopping))


def _code_of_command(stopping: Stopping) -> int:
    """Run the command; a user's mistake is one line on stderr, a bug keeps its traceback."""
    try:
        code = entp.main(standalone_mode=False, obj=stopping)
    except EntpError as error:
        _say(f"entp: {error}")
        return error.exit_code
    except click.ClickException as error:
        _say(f"entp: {' '.join(error.format_message().split())}{_hint(error)}")
        return WRONG_USE
    except (KeyboardInterrupt, click.Abort):
        _say(INTERRUPTED)
        return stopping.exit_code
    except BrokenPipeError:
        # the reader has gone, as head does; Python would complain once more when it flushes
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED
    return code if isinstance(code, int) else 0


def _hint(error: click.ClickException) -> str:
    context = getattr(error, "ctx", None)
    return f"; see {context.command_path} --help" if context else ""


def _say(line: str) -> None:
    click.echo(printable(line), err=True)
