"""entp demo: an example with written replies, then real rows through every stage with the embedded model."""

from __future__ import annotations

from importlib.resources import as_file, files
from pathlib import Path
from typing import Any

import click

from .. import api
from ..pipeline.run.run_folder import Run
from ..pipeline.run.settings import EMBEDDED, Scope
from ..pipeline.run.stage import shown
from ..pipeline.stages.order import look_at_run
from ..pipeline.views.show import PairStory, pair_story
from ..records.fusions import FusedRow
from .beside import print_beside
from .example import folder_beside, show_example
from .output import TerminalProgress, emit
from .stages import run_all
from .stopping import finish

POOL = "examples/pool.jsonl"
SETTINGS: dict[str, Any] = {
    "rater": "gpt-4o-mini",
    "model": EMBEDDED,
    "encoder": EMBEDDED,
    "similarity": 0.65,
    "budget": 2,
    "concurrency": 1,
}
PAIRS = ("bf482012b067cd22", "33168d8c5eff08a9", "885b1cf9eb417ef8", "0a931ff52827ffec")
"""The pairs that are fused: near rows with enough text for a small model to go by."""
# the share of a text's runs of four words that it has had before, from which it goes round in circles
LOOPING = 0.2
CLOSING = """\
The embedded model has 135 million parameters. It shows the machinery, not the quality: expect weak,
repetitive text above. To see what the method can do, point the same run at a better model:

  entp run {pool} --run runs/better --rater gpt-4o-mini --model gpt-4o-mini --pairs 4
  entp run {pool} --run runs/better --rater gpt-4o-mini --base-url http://localhost:8000/v1 --model NAME

with a key in OPENAI_API_KEY for the first, and any OpenAI-compatible server for the second.
Look closer: entp list fused --run {folder}; entp show ID --run {folder}; entp status --run {folder}"""


@click.command("demo", epilog="\b\nExample:\n  entp demo --run runs/demo --pairs 2")
@click.option(
    "--run",
    "folder",
    type=click.Path(path_type=Path),
    default=Path("runs/demo"),
    show_default=True,
    help="Folder that holds the run.",
)
@click.option(
    "--pairs",
    type=click.IntRange(0, len(PAIRS)),
    default=len(PAIRS),
    show_default=True,
    help="Fuse so many pairs with the embedded model; 0 ends after the example.",
)
def demo_command(folder: Path, pairs: int) -> int:
    """See it work, with no key and no network.

    First one pair of rows through every stage in a few seconds, with replies written by hand; then 1,200 rows
    with the embedded model, in a few minutes.
    """
    show_example(folder_beside(folder))
    if not pairs:
        return 0
    host = api.Host(progress=TerminalProgress(), runner=finish)
    with as_file(files("entp") / POOL) as pool:
        emit(f"Now live: {shown(pool)} through every stage with the embedded model; kept in {folder}")
        emit()
        code = run_all((pool,), folder, SETTINGS, scope=Scope(only=PAIRS[:pairs]), host=host)
        emit()
        with look_at_run(folder) as run:
            print_best_and_worst(run)
        emit(CLOSING.format(pool=shown(pool), folder=folder))
    return code


def print_best_and_worst(run: Run) -> None:
    """The fused rows of least and of greatest loss; one that goes round in circles comes after all others."""
    ranked: list[tuple[tuple[bool, int, float], FusedRow, PairStory]] = []
    for fusion in run.store.fusions.ids():
        if pair := run.store.pairs.get(fusion):
            story = pair_story(run, pair)
            ranked += [(_rank(row, row.loss), row, story) for row in story.fused_rows if row.loss is not None]
            if story.carried is None:
                print_beside(story, None)
    ranked.sort(key=lambda found: found[0])
    for name, ones in (("best", ranked[:1]), ("worst", ranked[1:][-1:])):
        for _, row, story in ones:
            emit(f"The {name} of {len(ranked)} fused rows, by loss and repetition:")
            print_beside(story, row)


def _rank(row: FusedRow, loss: int) -> tuple[bool, int, float]:
    share = repeated(" ".join(turn.content for turn in row.turns))
    return share > LOOPING, loss, share


def repeated(text: str) -> float:
    """The share of a text's runs of four words that it has had before."""
    words = text.casefold().split()
    runs = list(zip(words, words[1:], words[2:], words[3:], strict=False))
    return 1 - len(set(runs)) / len(runs) if runs else 0.0


COMMANDS = {"demo": demo_command}
