"""entp demo: real rows through every stage with the embedded model, and what came out beside its sources."""

from __future__ import annotations

from importlib.resources import as_file, files
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from .. import api
from ..pipeline.run.settings import EMBEDDED, Scope
from ..pipeline.run.stage import shown
from ..pipeline.stages.order import look_at_run
from ..pipeline.views.show import PairStory, pair_story
from ..records.conversation import Conversation
from .output import TerminalProgress, emit, printable
from .stages import run_all
from .stopping import finish

POOL = "examples/pool.jsonl"
# wide enough for three columns where the output is no terminal
WIDTH = 120
# characters of a turn
SHOWN = 1000
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
@click.option("--pairs", type=click.IntRange(min=1), default=4, show_default=True, help="Fuse so many pairs.")
def demo_command(folder: Path, pairs: int) -> int:
    """Take 1,200 real rows through every stage, with no key and no network, in a few minutes."""
    host = api.Host(progress=TerminalProgress(), runner=finish)
    with as_file(files("entp") / POOL) as pool:
        emit(f"{shown(pool)} through every stage with the embedded model; the run is kept in {folder}")
        emit()
        code = run_all((pool,), folder, SETTINGS, scope=Scope(pairs=pairs), host=host)
        emit()
        with look_at_run(folder) as run:
            for fusion in run.store.fusions.ids():
                if pair := run.store.pairs.get(fusion):
                    _print_fusion(pair_story(run, pair))
        emit(CLOSING.format(pool=shown(pool), folder=folder))
    return code


def _print_fusion(found: PairStory) -> None:
    console = Console(width=None if Console().is_terminal else WIDTH, highlight=False)
    table = Table(title=Text(f"{found.pair.kind} pair {found.pair.id}"), expand=True, show_lines=True)
    cells = []
    for name, side in (("left", found.left), ("right", found.right)):
        table.add_column(Text(f"{name}: {side.id if side else 'missing'}"), ratio=1)
        cells.append(_conversation(side.turns if side else ()))
    fused = found.carried
    if fused:
        table.add_column(Text(f"fused by {fused.strategy}, loss {fused.loss}"), ratio=1)
        table.caption = Text(f"templates: {' -> '.join(fused.templates)}")
        cells.append(_conversation(fused.turns))
    else:
        table.add_column(Text("failed"), ratio=1)
        cells.append(Text(printable(_reason(found))))
    table.add_row(*cells)
    console.print(table)
    emit()


def _conversation(turns: Conversation) -> Text:
    text = Text()
    for turn in turns:
        said = printable(turn.content)
        text.append(f"{turn.role}\n", style="bold")
        text.append(f"{said if len(said) <= SHOWN else said[:SHOWN] + ' …'}\n")
    return text


def _reason(found: PairStory) -> str:
    reasons = [found.fusion.reason if found.fusion else None, *(row.reason for row in found.fused_rows)]
    return "; ".join(dict.fromkeys(reason for reason in reasons if reason))


COMMANDS = {"demo": demo_command}
