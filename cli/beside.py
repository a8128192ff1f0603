"""A pair of rows and what was fused from it, side by side."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table
from rich.text import Text

from ..pipeline.views.show import PairStory
from ..records.conversation import Conversation
from .output import emit, printable

# wide enough for three columns where the output is no terminal
WIDTH = 120
# characters of a turn
SHOWN = 1200


def print_beside(found: PairStory) -> None:
    """Both operands of a pair, and the fused row that stands for its fusion or why there is none."""
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
