"""The entp command.

Exit codes: 0 done, 1 failed, 2 wrong use, 3 done with rejected or failed rows, 130 interrupted (Ctrl-C),
143 terminated (SIGTERM).
"""

from __future__ import annotations

import importlib
import os
import sys
from difflib import get_close_matches

import click

from ..pipeline.stages.order import STAGES
from ..records.errors import EntpError
from .output import printable
from .stopping import INTERRUPTED, Stopping

FAILED, WRONG_USE = 1, 2

# by what they are for, each with the module that holds it; imported when used, since some need seconds
GROUPS: dict[str, dict[str, str]] = {
    "Run": {"run": "stages", "demo": "demo"},
    "Run one stage": {stage.name: "stages" for stage in STAGES},
    "Look": {"status": "views", "list": "views", "show": "views", "graph": "draw", "studio": "studio"},
    "Prove and compare": {"verify": "views", "replay": "replay"},
    "Tidy up": {"prune": "prune"},
}
COMMANDS = {name: module for commands in GROUPS.values() for name, module in commands.items()}


class LazyGroup(click.Group):
    """A group that imports a command when it is asked for, and lists commands by what they are for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """All commands, in the order of the help."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of a name, or None."""
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f".{COMMANDS[cmd_name]}", __package__)
        command: click.Command = module.COMMANDS[cmd_name]
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command; a mistyped one is met with the nearest."""
        if args and not args[0].startswith("-") and args[0] not in COMMANDS:
            near = get_close_matches(args[0], COMMANDS, n=1)
            message = f"there is no command {args[0]!r}" + (f"; did you mean {near[0]!r}?" if near else "")
            raise click.UsageError(message, ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the commands of each group with what they do."""
        for name, commands in GROUPS.items():
            found = [(command, self.get_command(ctx, command)) for command in commands]
            with formatter.section(name):
                formatter.write_dl(
                    [(each, command.get_short_help_str(90)) for each, command in found if command]
                )


EXAMPLES = """\b
See it work, with no key and no network:   entp demo
Do the whole job on your own data:         entp run pool.jsonl --run runs/first
"""


@click.group(
    cls=LazyGroup,
    invoke_without_command=True,
    epilog=EXAMPLES,
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.version_option(package_name="entp")
@click.pass_context
def entp(context: click.Context) -> None:
    """Turn the low-quality rows of an instruction-tuning pool into good training rows."""
    if context.invoked_subcommand is None:
        click.echo(context.get_help())


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
        said = " ".join(error.format_message().split())
        _say(f"entp: {said.removesuffix('.')}{_hint(error)}")
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
