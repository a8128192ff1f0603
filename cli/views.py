"""entp status, show and list: look at a run without changing it."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from ..pipeline.ahead.estimate import in_words
from ..pipeline.ahead.outlook import outlooks
from ..pipeline.run.run_folder import look_at_run
from ..pipeline.views.show import show
from ..pipeline.views.status import status
from .options import json_option, run_option
from .output import emit, emit_json, one_line, printable, table
from .reports import print_books

LISTS = {
    "rows": "SELECT rows.id, source, score, corrected, quality, content_class FROM rows "
    "LEFT JOIN scores ON row_id = rows.id ORDER BY rows.position",
    "rejected": "SELECT file, line, found, expected FROM rejected_rows ORDER BY file, line",
    "unrated": "SELECT row_id, rater, reason, raw FROM ratings WHERE score IS NULL ORDER BY row_id",
    "audits": "SELECT audits.row_id, audits.rater, ratings.score AS first, audits.score AS second, "
    "audits.reason FROM audits LEFT JOIN ratings USING (row_id) ORDER BY audits.row_id",
    "clusters": "SELECT cluster, row_id, role, rank FROM clusters ORDER BY cluster, rank IS NULL, rank",
    "pairs": "SELECT id, kind, cluster, depth, left_kind, left_id, right_kind, right_id FROM pairs "
    "ORDER BY position",
    "fusions": "SELECT id, status, carried, reason FROM fusions ORDER BY id",
    "fused": "SELECT id, strategy, status, loss, templates, reason FROM fused_rows ORDER BY id",
    "forks": "SELECT id, fusion_id, variant || ':' || cycle || ':' || attempt AS point, changes, model, "
    "status, loss, created FROM forks ORDER BY created, id",
    "blend": "SELECT id, kind FROM blend ORDER BY position",
}
WIDTH = 60


@click.command("status", epilog="\b\nExample:\n  entp status --run runs/first --json")
@run_option
@json_option
def status_command(folder: Path, as_json: bool) -> int:
    """Say where a run stands: the state and the books of each stage."""
    with look_at_run(folder) as run:
        now = status(run)
        ahead = outlooks(run)
    if as_json:
        emit_json({**now, "outlook": {name: found and asdict(found) for name, found in ahead.items()}})
    else:
        emit(f"{now['run']}: model {now['model'] or 'not set'}, encoder {now['encoder']}")
        print_books(now)
        for found in filter(None, ahead.values()):
            emit(f"{found.asked:,} {found.unit} to ask for: {in_words(found.estimate)}")
        emit(f"symbolic checks overruled the model {now['overrides']} times")
    return 0 if now["balanced"] else 1


@click.command("show", epilog="\b\nExample:\n  entp show dolly-1068 --run runs/first")
@click.argument("wanted", metavar="ID")
@run_option
@json_option
def show_command(wanted: str, folder: Path, as_json: bool) -> int:
    """Show a row, a pair with its fusion, or a fused row, with its lineage in both directions."""
    with look_at_run(folder) as run:
        found = show(run, wanted)
    if as_json:
        emit_json(found)
    else:
        _outline(found, 0)
    return 0


@click.command("list", epilog="\b\nExample:\n  entp list pairs --run runs/first --limit 20")
@click.argument("kind", type=click.Choice(list(LISTS)))
@run_option
@click.option("--limit", type=click.IntRange(min=1), help="Show only the first so many.")
@json_option
def list_command(kind: str, folder: Path, limit: int | None, as_json: bool) -> int:
    """List what a run holds."""
    with look_at_run(folder) as run:
        records = list(run.store.query(f"{LISTS[kind]} LIMIT ?", limit or -1))
    if as_json:
        emit_json(records)
    elif records:
        table(list(records[0]), [[_cell(value) for value in record.values()] for record in records])
    else:
        emit(f"no {kind}")
    return 0


def _cell(value: Any) -> Any:
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


@click.command("verify", epilog="\b\nExample:\n  entp verify --run runs/first")
@run_option
@json_option
def verify_command(folder: Path, as_json: bool) -> int:
    """Prove that a run is whole: hashes, references, books and SQLite's own checks."""
    from ..pipeline.views.verify import verify

    with look_at_run(folder) as run:
        problems = verify(run)
    if as_json:
        emit_json({"sound": not problems, "problems": problems})
    else:
        for problem in problems or ["sound"]:
            emit(problem)
    return 1 if problems else 0


COMMANDS = {"verify": verify_command, "status": status_command, "show": show_command, "list": list_command}
