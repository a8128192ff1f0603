"""entp replay: run a fusion again from the ledger, or go back in it and run on differently."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from textwrap import fill
from typing import TYPE_CHECKING, Any

import click

from ..pipeline.run.run_folder import Run
from ..pipeline.run.settings import Places, settings_of
from ..pipeline.stages.fuse import FuseSettings
from ..pipeline.stages.order import look_at_run, open_run
from ..records.conversation import from_json, out_of_order, to_json
from ..records.errors import UsageError
from .options import json_option, key_option, read_key, run_option, setting_options
from .output import TerminalProgress, emit, emit_json, one_line, table
from .reports import print_lines
from .stopping import finish

if TYPE_CHECKING:  # at run time it would bring LangGraph along
    from ..pipeline.replay.travel import Comparison

EXAMPLES = """\b
Examples:
  entp replay a6034f8c728da676 --run runs/first
  entp replay --all --run runs/first
  entp replay a6034f8c728da676 --run runs/first --from 1:1:2 --set template=answer --live
"""
NAMES = ("model", "template", "temperature")
WIDTH = 110
DIFFERENT = 1


@click.command("replay", epilog=EXAMPLES)
@click.argument("fusion", required=False)
@run_option
@click.option("--all", "everything", is_flag=True, help="Replay every fusion of the run.")
@click.option(
    "--from", "start", metavar="VARIANT:CYCLE:ATTEMPT", help="Go back to that attempt and run on from there."
)
@click.option(
    "--set", "settings", multiple=True, metavar="NAME=VALUE", help=f"With --from: set {', '.join(NAMES)}."
)
@click.option("--edit", is_flag=True, help="With --from: edit the attempt's text in $EDITOR first.")
@click.option("--live", is_flag=True, help="With --from: ask the model for what the ledger lacks.")
@setting_options((Places,), only=("base_url",))
@key_option
@json_option
def replay_command(
    fusion: str | None,
    folder: Path,
    everything: bool,
    start: str | None,
    settings: tuple[str, ...],
    edit: bool,
    live: bool,
    key_file: Path | None,
    as_json: bool,
    base_url: str | None = None,
) -> int:
    """Run a fusion again offline, show each step, and prove that it comes out as it is stored.

    With --from it goes back to an attempt and runs on: only the calls after it are made. What is set, edited
    or asked live makes a fork, which is kept beside the original and compared with it.
    """
    _check_use(fusion, start, everything=everything, changed=bool(settings or edit or live or base_url))
    if start is None or fusion is None:
        with look_at_run(folder, progress=TerminalProgress()) as run:
            return _replay_all(run, as_json) if fusion is None else _replay_one(run, fusion, as_json)
    given = _settings(settings)
    if edit and "template" in given:
        message = "--edit gives the attempt's text, and --set template has it written"
        raise UsageError(message, "choose one of them")
    if edit:
        given["turns"] = _edited(folder, fusion, start)
    changes = {"base_url": base_url} if base_url else {}
    # a fork is kept, which is work on the run; the same once more is only looked at
    opened = open_run(folder, key=read_key(key_file)) if live or given else look_at_run(folder)
    with opened as run:
        there = replace(run, settings=run.settings.changed(changes))
        return _run_on(there, fusion, start, given, live=live, as_json=as_json)


def _check_use(fusion: str | None, start: str | None, *, everything: bool, changed: bool) -> None:
    """Raise UsageError for options that do not go together."""
    if everything == bool(fusion):
        message = "one fusion or all of them?"
        raise UsageError(message, "give the id of a fusion, as entp list fusions prints it, or --all")
    if start is None and changed:
        message = "--set, --edit, --live and --base-url need a point to start from"
        raise UsageError(message, "name the point with --from VARIANT:CYCLE:ATTEMPT")
    if start and fusion is None:
        message = "--from goes back in one fusion, not in all of them"
        raise UsageError(message, "give the id of a fusion")


def _replay_all(run: Run, as_json: bool) -> int:
    from ..pipeline.replay.replay import replay_all

    found = finish(run, replay_all(run))
    if as_json:
        emit_json(found)
    else:
        what = f"{found.fusions} fusions with {found.fused_rows} fused rows"
        _verdict(found.differences, found.answered, what)
    return DIFFERENT if found.differences else 0


def _replay_one(run: Run, fusion: str, as_json: bool) -> int:
    from ..pipeline.replay.replay import replay

    found = finish(run, replay(run, fusion))
    if as_json:
        emit_json(found)
    else:
        print_steps(found.steps)
        if found.reason:
            emit(f"failed: {found.reason}")
        what = f"fusion {fusion} with {found.fused_rows} fused rows"
        _verdict(found.differences, found.answered, what)
    return DIFFERENT if found.differences else 0


def _verdict(differences: list[str], answered: int, what: str) -> None:
    for line in differences:
        emit(line)
    same = "NOT the same" if differences else "the same byte for byte"
    emit(f"{what}: {same}; {answered} calls answered from the ledger, none made")


def print_steps(steps: list[dict[str, Any]]) -> None:
    """The steps of a fusion: those around the variants, and each variant's together."""
    variant = None
    for step in sorted(steps, key=_place):
        if step.get("variant") not in (None, variant):
            variant = step["variant"]
            emit(f"variant {variant}, {step['strategy']}")
        pad = "  " if "variant" in step else ""
        place = f"{step['cycle']}:{step['attempt']}  " if "attempt" in step else ""
        emit(f"{pad}{place}{step['node']}{_outcome(step)}")
        for line in step.get("changes", ()):
            emit(
                fill(
                    " ".join(line.split()),
                    WIDTH,
                    initial_indent=f"{pad}     ",
                    subsequent_indent=f"{pad}     ",
                )
            )


def _place(step: dict[str, Any]) -> tuple[int, int]:
    """Steps of the fusion before its variants, then the variants in order, then what follows them."""
    if step["node"] == "collect":
        return (2, 0)
    return (1, step["variant"]) if "variant" in step else (0, 0)


def _outcome(step: dict[str, Any]) -> str:
    """What a step came to, behind its name."""
    if "error" in step:
        return f": {step['error']}"
    if "unmet" in step:
        unmet = ", ".join(step["unmet"]) or "nothing"
        return f" of {step['template']}: loss {len(step['unmet'])}, {unmet} unmet"
    found = (f"{name} {_words(value)}" for name, value in step.get("found", {}).items())
    return f": {one_line('; '.join(found), WIDTH)}" if "found" in step else ""


def _words(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "none"
    return "none" if value is None else str(value)


def _settings(given: tuple[str, ...]) -> dict[str, Any]:
    """What --set names, by name."""
    found = dict[str, Any]()
    for text in given:
        name, sign, value = text.partition("=")
        if name not in NAMES or not sign or not value:
            message = f"--set {text!r}: expected NAME=VALUE with a name among {', '.join(NAMES)}"
            raise UsageError(message, "for example --set temperature=0.7")
        found[name] = value
    if "temperature" in found:
        changed = settings_of({"temperature": found["temperature"]}, (FuseSettings,))
        found["temperature"] = changed.of(FuseSettings).temperature
    return found


def _edited(folder: Path, fusion: str, start: str) -> list[dict[str, str]]:
    """The text of an attempt as the user leaves it in the editor."""
    from ..pipeline.replay.fork import point_of, text_at
    from ..pipeline.replay.travel import rebuilt_steps

    with look_at_run(folder) as run:
        turns = text_at(finish(run, rebuilt_steps(run, fusion)), point_of(start))
    shown = json.dumps(turns, indent=2, ensure_ascii=False)
    text = click.edit(shown, extension=".json", require_save=False)
    try:
        edited = from_json(json.loads(text or ""))
        wrong = out_of_order(edited)
    except (ValueError, TypeError) as error:
        wrong = str(error).splitlines()[0]
    if wrong:
        message = f"the edited text is not a conversation: {wrong}"
        raise UsageError(message, 'keep its form: [{"role": "user", "content": "..."}, ...]')
    return to_json(edited)


def _run_on(run: Run, fusion: str, start: str, given: dict[str, Any], *, live: bool, as_json: bool) -> int:
    from ..pipeline.replay.fork import Changes, point_of
    from ..pipeline.replay.travel import run_on

    found = finish(run, run_on(run, fusion, point_of(start), Changes(**given), live=live))
    emit_json(found) if as_json else print_fork(found)
    return 0


def print_fork(found: Comparison) -> None:
    """How a variant ended when it was run on from a point, beside how it had ended."""
    fork, original = found.fork, found.original
    print_steps(found.steps)
    emit()
    sides = ("status", "loss", "templates", "model", "prompt_tokens", "completion_tokens", "reason")
    table(
        ("", "original", "fork"),
        [
            (name.replace("_", " "), _cell(getattr(original, name)), _cell(getattr(fork, name)))
            for name in sides
        ],
    )
    emit()
    for line in found.changes_of_text or ["the same text"]:
        emit(line)
    emit()
    print_lines(found.spent.lines())
    if found.kept:
        emit(f"kept as {fork.id}: entp list forks, entp show {fork.id}")


def _cell(value: object) -> str:
    return " -> ".join(map(str, value)) if isinstance(value, list) else _words(value)


COMMANDS = {"replay": replay_command}
