"""Options of the commands: one for each setting, made from the settings themselves."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal, TypeVar, get_args, get_origin

import click

from ..pipeline.run.settings import Settings, settings_file
from ..records.errors import UsageError

Command = TypeVar("Command", bound=Callable[..., Any])

KEY_VARIABLE = "OPENAI_API_KEY"


def setting_options(*names: str) -> Callable[[Command], Command]:
    """Add an option for each named setting; those not given stay out of the command's arguments."""

    def add(command: Command) -> Command:
        for name in reversed(names):
            command = _option(name)(command)
        return command

    return add


def run_option(command: Command) -> Command:
    """The folder of the run."""
    return click.option(
        "--run", "folder", required=True, type=click.Path(path_type=Path), help="Folder that holds the run."
    )(command)


def pool_argument(command: Command) -> Command:
    """The files of the pool; stored whole, so that later commands may be given in another folder."""
    kind = click.Path(exists=True, resolve_path=True, path_type=Path)
    return click.argument("pool", nargs=-1, type=kind)(command)


def include_option(command: Command) -> Command:
    """Content classes to take out of those that are set aside."""
    return click.option(
        "--include",
        multiple=True,
        type=_kind(Settings.model_fields["exclude"].annotation),
        help="Content class to fuse all the same: takes it out of --exclude.",
    )(command)


def json_option(command: Command) -> Command:
    """Results as JSON."""
    return click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")(command)


def key_option(command: Command) -> Command:
    """Where the key comes from, besides the environment."""
    return click.option(
        "--key-file",
        type=click.Path(path_type=Path),
        help=f"File that holds the server's key; else {KEY_VARIABLE} is read. Never stored.",
    )(command)


def resume_option(command: Command) -> Command:
    """Whether to go on with what a run folder holds."""
    return click.option(
        "--resume",
        type=click.Choice(("never", "always", "if-possible")),
        default="if-possible",
        show_default=True,
        help="Whether to go on with work that is there: never refuses a folder that holds any; if-possible "
        "refuses where templates of another version of entp would ask anew for what is done; always asks.",
    )(command)


def settings_option(command: Command) -> Command:
    """A file of settings."""
    return click.option(
        "--settings",
        "settings_path",
        type=click.Path(path_type=Path),
        help="TOML file of settings; options beat it.",
    )(command)


def changes_of(settings_path: Path | None, given: dict[str, Any]) -> dict[str, Any]:
    """The settings that a command changes: those of the file, then those of the options."""
    options = {name: value for name, value in given.items() if value not in (None, ())}
    return {**(settings_file(settings_path) if settings_path else {}), **options}


def read_key(key_file: Path | None) -> str | None:
    """The server's key, from the file or the environment, or None."""
    if key_file is None:
        return os.environ.get(KEY_VARIABLE) or None
    try:
        key = key_file.read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        message = f"key file {key_file} cannot be read ({type(error).__name__})"
        raise UsageError(message, "give a text file that holds nothing but the key") from error
    if not key or len(key.split()) != 1:
        message = f"key file {key_file} holds {len(key.split())} words"
        raise UsageError(message, "give a text file that holds nothing but the key")
    return key


def _option(name: str) -> Callable[[Command], Command]:
    field = Settings.model_fields[name]
    kind = _kind(field.annotation)
    default = field.default
    shown = ", ".join(map(str, default)) if isinstance(default, tuple) else default
    note = f" [default: {shown}]" if shown not in (None, "", False) else ""
    described = f"{(field.description or '')[:1].upper()}{(field.description or '')[1:]}.{note}"
    flag = f"--{name.replace('_', '-')}"
    if kind is bool:
        return click.option(f"{flag}/--no-{name.replace('_', '-')}", name, default=None, help=described)
    many = get_origin(field.annotation) is tuple
    return click.option(flag, name, type=kind, multiple=many, help=described)


def _kind(annotation: Any) -> Any:
    """The click type of a setting's annotation."""
    if get_origin(annotation) is Literal:
        return click.Choice(get_args(annotation))
    inner = [part for part in get_args(annotation) if part not in (type(None), Ellipsis)]
    return _kind(inner[0]) if inner else annotation
