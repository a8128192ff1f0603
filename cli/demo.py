"""entp demo: an example with written replies, then real rows through every stage with the embedded model."""

from __future__ import annotations

from importlib.resources import as_file, files
from pathlib import Path
from typing import Any

import click

from .. import api
from ..pipeline.run.settings import EMBEDDED, Scope
from ..pipeline.run.stage import shown
from ..pipeline.stages.order import look_at_run
from ..pipeline.views.show import pair_story
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
    type=click.IntRange(min=0),
    default=4,
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
        code = run_all((pool,), folder, SETTINGS, scope=Scope(pairs=pairs), host=host)
        emit()
        with look_at_run(folder) as run:
            for fusion in run.store.fusions.ids():
                if pair := run.store.pairs.get(fusion):
                    print_beside(pair_story(run, pair))
        emit(CLOSING.format(pool=shown(pool), folder=folder))
    return code


COMMANDS = {"demo": demo_command}
