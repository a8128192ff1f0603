"""Options of the commands: one for each setting, made from the settings themselves, in sections by kind."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from dataclasses import fields
from pathlib import Path
from typing import Any, Literal, TypeVar, get_args, get_origin

import click

from ..pipeline.run.settings import UNSET, Part, Scope, settings_file
from ..records.errors import UsageError

Command = TypeVar("Command", bound=Callable[..., Any])

KEY_VARIABLE = "OPENAI_API_KEY"
# settings that most commands are given, whatever their kind
COMMON = ("model", "base_url", "rater", "encoder", "sets", "set", "out", "form")
FIRST = "Options"
SECTIONS = {
    "results": "What shapes results (stored; a stage that depends on it runs again)",
    "asking": "How a model is asked (stored; changes no result)",
    "places": "Where things are, and what is kept (stored)",
    "scope": "About this command alone (never stored)",
}


class SectionOption(click.Option):
    """An option that stands in a section of the help."""

    def __init__(self, *args: Any, section: str = FIRST, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.section = section


class SectionedCommand(click.Command):
    """A command whose help shows its options by section, the common ones first."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the sections."""
        sections: dict[str, list[tuple[str, str]]] = {name: [] for name in (FIRST, *SECTIONS.values())}
        for parameter in self.get_params(ctx):
            record = parameter.get_help_record(ctx)
            if record is not None:
                sections[getattr(parameter, "section", FIRST)].append(record)
        for name, records in sections.items():
            if records:
                with formatter.section(name):
                    formatter.write_dl(records)


def setting_options(parts: Iterable[type[Part]], only: Iterable[str] = ()) -> Callable[[Command], Command]:
    """Add an option for each setting of these parts, or `only` for some; those not given are left out."""
    chosen = set(only)
    found = {
        name: part
        for part in parts
        for name in part.model_fields
        if name != "pool" and (not chosen or name in chosen)
    }

    def add(command: Command) -> Command:
        for name, part in reversed(found.items()):
            command = _setting(part, name)(command)
        return command

    return add


def scope_options(*names: str) -> Callable[[Command], Command]:
    """Add an option for each of these fields of Scope."""

    def add(command: Command) -> Command:
        for each in reversed(fields(Scope)):
            if each.name in names:
                described = _sentence(each.metadata["description"])
                command = click.option(
                    _flag(each.name),
                    type=click.IntRange(min=1),
                    cls=SectionOption,
                    section=SECTIONS["scope"],
                    help=described,
                )(command)
        return command

    return add


def run_option(command: Command) -> Command:
    """The folder of the run."""
    return click.option(
        "--run", "folder", required=True, type=click.Path(path_type=Path), help="Folder that holds the run."
    )(command)


def pool_argument(command: Command) -> Command:
    """The files of the pool."""
    kind = click.Path(exists=True, path_type=Path)
    return click.argument("pool", nargs=-1, type=kind)(command)


def json_option(command: Command) -> Command:
    """Results as JSON."""
    return click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")(command)


def dry_run_option(command: Command) -> Command:
    """A look at what would be asked."""
    return click.option(
        "--dry-run", is_flag=True, help="Say how many calls it would take; ask no model and store no setting."
    )(command)


def key_option(command: Command) -> Command:
    """Where the key comes from, besides the environment."""
    return click.option(
        "--key-file",
        type=click.Path(path_type=Path),
        help=f"File that holds the server's key; else {KEY_VARIABLE} is read. Never stored.",
    )(command)


def retry_options(command: Command) -> Command:
    """Whether to go on with what a run folder holds, and with what failed."""
    section = SECTIONS["scope"]
    command = click.option(
        "--resume",
        type=click.Choice(("never", "always", "if-possible")),
        default="if-possible",
        show_default=True,
        cls=SectionOption,
        section=section,
        help="Whether to go on with work that is there: never refuses a folder that holds any; if-possible "
        "refuses where templates of another version of entp would ask again for what is done; always asks.",
    )(command)
    return click.option(
        "--retry-failed",
        is_flag=True,
        cls=SectionOption,
        section=section,
        help="Try failed items once more.",
    )(command)


def settings_options(command: Command) -> Command:
    """A file of settings, and settings that go back to their defaults."""
    command = click.option(
        "--unset", multiple=True, metavar="NAME", help="Setting that goes back to its default."
    )(command)
    return click.option(
        "--settings",
        "settings_path",
        type=click.Path(path_type=Path),
        help="TOML file of settings; options override it.",
    )(command)


def changes_of(settings_path: Path | None, unset: tuple[str, ...], given: dict[str, Any]) -> dict[str, Any]:
    """The settings that a command changes: those of the file, then those of the options."""
    options = {name: value for name, value in given.items() if value not in (None, ())}
    from_file = settings_file(settings_path) if settings_path else {}
    names = tuple(name.replace("-", "_") for name in unset)
    if both := sorted(set(names) & options.keys()):
        message = f"--unset {both[0]} and {_flag(both[0])} in one command"
        raise UsageError(message, "give one of them")
    kept = {name: value for name, value in from_file.items() if name not in names}
    return {**kept, **options, UNSET: (*_listed(from_file.get(UNSET)), *names)}


def read_key(key_file: Path | None) -> str | None:
    """The server's key, from the file or the environment, or None."""
    if key_file is None:
        return os.environ.get(KEY_VARIABLE) or None
    try:
        key = key_file.read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        message = f"key file {key_file} cannot be read ({type(error).__name__})"
        raise UsageError(message, "give a text file that contains nothing but the key") from error
    if not key or len(key.split()) != 1:
        message = f"key file {key_file} contains {len(key.split())} words"
        raise UsageError(message, "give a text file that contains nothing but the key")
    return key


def _listed(value: object) -> tuple[str, ...]:
    return tuple(map(str, value)) if isinstance(value, list) else () if value is None else (str(value),)


def _setting(part: type[Part], name: str) -> Callable[[Command], Command]:
    field = part.model_fields[name]
    default = field.default
    shown = ", ".join(map(str, default)) if isinstance(default, tuple) else default
    note = f" [default: {shown}]" if shown not in (None, "", False) else ""
    kind, section = _kind(field.annotation), FIRST if name in COMMON else SECTIONS[part.kind]
    described = f"{_sentence(field.description or '')}{note}"
    if kind is bool:
        flags = f"{_flag(name)}/--no-{name.replace('_', '-')}"
        return click.option(flags, name, default=None, cls=SectionOption, section=section, help=described)
    many = get_origin(field.annotation) is tuple
    return click.option(
        _flag(name), name, type=kind, multiple=many, cls=SectionOption, section=section, help=described
    )


def _flag(name: str) -> str:
    return f"--{name.replace('_', '-')}"


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}."


def _kind(annotation: Any) -> Any:
    """The click type of a setting's annotation."""
    if get_origin(annotation) is Literal:
        return click.Choice(get_args(annotation))
    inner = [part for part in get_args(annotation) if part not in (type(None), Ellipsis)]
    return _kind(inner[0]) if inner else annotation
