"""What entp demo opens with: one pair through every stage, answered by replies that are written by hand."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any

from .. import api
from ..pipeline.run.run_folder import Run
from ..pipeline.run.settings import EMBEDDED, Scope
from ..pipeline.stages.order import look_at_run
from ..pipeline.views.show import PairStory, pair_story
from ..providers.written import NAME, WrittenChat
from ..records.fusions import FusedRow
from .beside import print_beside
from .output import TerminalProgress, emit, table
from .stopping import finish

POOL, REPLIES = "examples/drawn.jsonl", "examples/replies.json"
PAIR = "5a0beadc28067b49"
"""Of the rows that the replies are about; rows and their order make the id of a pair."""
# the rating that was drawn for a row, and the score that it was drawn from
RATER, TRUTH = "drawn", "true"
SETTINGS: Mapping[str, Any] = {
    "rater": RATER,
    "model": NAME,
    "encoder": EMBEDDED,
    "similarity": 0.65,
    "neighbours": 10,
}
OPENING = """\
First, one pair of rows with replies such as a strong model might give. No model is asked:
these replies are written by hand ({replies}).
The rows are real; their ratings are drawn by us, one off in 30 % of cases, so that one can count how many
are corrected rightly ({pool}). All the rest is the real thing: correction, clusters, graph,
symbolic checks, ledger and store. The run is kept in {folder}.
"""
CLOSING = """\
Step by step: docs/worked-example.md. Or look for yourself:
  entp replay {pair} --run {folder}
  entp show {fused} --run {folder}
  entp graph --fusion {pair} --run {folder}
"""


def folder_beside(folder: Path) -> Path:
    """Where the run with the written replies is kept, beside the demo's own."""
    return folder.with_name(f"{folder.name}-by-hand")


def show_example(folder: Path) -> None:
    """Take the rows through every stage, fuse the pair from the written replies, print what came of it."""
    emit(OPENING.format(replies=REPLIES, pool=POOL, folder=folder))
    root = files("entp")
    with as_file(root / POOL) as pool, as_file(root / REPLIES) as replies:
        host = api.Host(progress=TerminalProgress(), runner=finish, chat=WrittenChat(replies))
        api.run((pool,), folder, SETTINGS, scope=Scope(only=(PAIR,)), host=host)
    with look_at_run(folder) as run:
        pair = run.store.pairs.get(PAIR)
        assert pair is not None, "it has just been fused"
        _print_correction(run)
        found = pair_story(run, pair)
        _print_cluster(run, found)
        _print_attempts(found.fused_rows)
        print_beside(found, found.carried)
        fused = found.carried.id if found.carried else PAIR
        emit(CLOSING.format(pair=PAIR, fused=fused, folder=folder))


def _print_correction(run: Run) -> None:
    true = {row.id: row.ratings[TRUTH] for row in run.store.rows.all()}
    scores = list(run.store.scores.all())
    rows = len(scores)
    rated = sum(score.score == true[score.row_id] for score in scores)
    corrected = sum(score.corrected == true[score.row_id] for score in scores)
    moved = sum(score.score != score.corrected for score in scores)
    emit(f"{rows} rows, {moved} scores moved by the correction")
    emit(f"  right as rated {rated} ({rated / rows:.1%}), as corrected {corrected} ({corrected / rows:.1%})")


def _print_cluster(run: Run, found: PairStory) -> None:
    """Both rows with their scores, and how many there are in their cluster."""
    size = sum(member.cluster == found.pair.cluster for member in run.store.clusters.all())
    emit(f"cluster {found.pair.cluster} has {size} rows; the first two are fused")
    for operand in found.pair.operands:
        score = run.store.scores.get(operand.id)
        if score is not None:
            emit(f"  {operand.id}: rated {score.score}, corrected {score.corrected}, {score.quality}")
    emit()


def _print_attempts(fused: list[FusedRow]) -> None:
    """The way of each variant: which template wrote each attempt, and what it still lacked."""
    emit("attempts, as cycle:attempt, the template that wrote each, and its symbolic loss")
    lines: list[tuple[object, ...]] = []
    overrides: list[str] = []
    for row in fused:
        attempts: list[Any] = [*row.attempts]
        for attempt in attempts:
            unmet, at = attempt["loss"]["unmet"], f"{attempt['cycle']}:{attempt['attempt']}"
            lines.append((row.strategy, at, attempt["template"], len(unmet), ", ".join(unmet)))
            overrides += attempt["loss"]["overrides"]
    table(("variant", "at", "written by", "loss", "unmet"), lines)
    emit(f"symbolic checks overruled the replies {len(overrides)} times:")
    for override in overrides:
        emit(f"  {override}")
    emit()
