"""entp status, show, list and verify: look at a run without changing it."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from .. import api
from ..pipeline.ahead.estimate import in_words
from ..pipeline.ahead.outlook import outlooks
from ..pipeline.stages.order import look_at_run
from ..pipeline.views.listings import LISTINGS, listing
from ..pipeline.views.status import spent, status
from .options import json_option, run_option
from .output import emit, emit_json, one_line, printable, table
from .reports import print_books, print_spent

WIDTH = 60


@click.command("status", epilog="\b\nExample:\n  entp status --run runs/first --json")
@run_option
@json_option
def status_command(folder: Path, as_json: bool) -> int:
    """Say where a run stands: settings, state and books of each stage, and what its calls took."""
    with look_at_run(folder) as run:
        now, ahead, chosen, calls = status(run), outlooks(run), run.settings.chosen(), spent(run)
    if as_json:
        told = {name: found and found.model_dump(mode="json") for name, found in ahead.items()}
        emit_json({**now.model_dump(mode="json"), "outlook": told, "spent": [asdict(each) for each in calls]})
    else:
        emit(f"{now.run}: model {now.model or 'not set'}, encoder {now.encoder}")
        if chosen:
            emit(f"settings: {', '.join(f'{name} {_value(value)}' for name, value in chosen.items())}")
        print_books(now)
        print_spent(calls)
        for found in filter(None, ahead.values()):
            emit(f"{found.asked:,} {found.unit} to ask for: {in_words(found.estimate)}")
        emit(f"symbolic checks overruled the model {now.overrides} times")
    return 0 if now.balanced else 1


@click.command("show", epilog="\b\nExample:\n  entp show dolly-1068 --run runs/first")
@click.argument("wanted", metavar="ID")
@run_option
@json_option
def show_command(wanted: str, folder: Path, as_json: bool) -> int:
    """Show a row, pair, fused row or fork, and what it came from and went into."""
    with api.open_run(folder) as run:
        found = run.show(wanted).model_dump(mode="json")
    if as_json:
        emit_json(found)
    else:
        _outline(found, 0)
    return 0


@click.command("list", epilog="\b\nExample:\n  entp list pairs --run runs/first --limit 20")
@click.argument("kind", type=click.Choice(list(LISTINGS)))
@run_option
@click.option("--limit", type=click.IntRange(min=1), help="Show only the first so many.")
@json_option
def list_command(kind: str, folder: Path, limit: int | None, as_json: bool) -> int:
    """List what a run holds."""
    with look_at_run(folder) as run:
        records = [record.model_dump(mode="json") for record in listing(run.store, kind, limit)]
    if as_json:
        emit_json(records)
    elif records:
        table(tuple(records[0]), [tuple(_cell(value) for value in record.values()) for record in records])
    else:
        emit(f"no {kind}")
    return 0


@click.command("verify", epilog="\b\nExample:\n  entp verify --run runs/first")
@run_option
@json_option
def verify_command(folder: Path, as_json: bool) -> int:
    """Prove that a run is whole: hashes, references, books and the store's own checks."""
    with api.open_run(folder) as run:
        problems = run.verify()
    if as_json:
        emit_json({"sound": not problems, "problems": problems})
    else:
        for problem in problems or ["sound"]:
            emit(problem)
    return 1 if problems else 0


def _value(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def _cell(value: Any) -> Any:
    if isinstance(value, list | dict):
        value = "; ".join(map(str, value)) if isinstance(value, list) else str(value)
    return one_line(value, WIDTH) if isinstance(value, str) else "" if value is None else value


def _outline(value: Any, depth: int) -> None:
    """A nested value as an indented outline; conversations as who says what."""
    pad = "  " * depth
    for name, item in value.items() if isinstance(value, dict) else enumerate(value):
        if _is_turns(item):
            emit(f"{pad}{name}:")
            for turn in item:
                text = printable(turn["content"]).replace("\n", f"\n{pad}    ")
                emit(f"{pad}  {turn['role']}: {text}")
        elif isinstance(item, list) and not any(isinstance(part, dict | list) for part in item):
            if item:
                emit(f"{pad}{name}: {'; '.join(map(str, item))}")
        elif isinstance(item, dict | list) and item:
            emit(f"{pad}{name}:")
            _outline(item, depth + 1)
        elif item not in (None, "", [], {}):
            emit(f"{pad}{name}: {item}")


def _is_turns(item: Any) -> bool:
    return isinstance(item, list) and bool(item) and all(_is_turn(turn) for turn in item)


def _is_turn(value: Any) -> bool:
    return isinstance(value, dict) and set(value) == {"role", "content"} and isinstance(value["content"], str)


COMMANDS = {"verify": verify_command, "status": status_command, "show": show_command, "list": list_command}
