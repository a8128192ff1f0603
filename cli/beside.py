"""A pair of rows and what was fused from it, side by side."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from ..pipeline.views.show import PairStory
from ..records.conversation import Conversation
from ..records.fusions import FusedRow
from .output import emit, printable

# wide enough for three columns where the output is no terminal
WIDTH = 120
# characters of a turn
SHOWN = 1200


def print_beside(found: PairStory, fused: FusedRow | None) -> None:
    """Both operands of a pair and a row fused from them, with what it lacked; without one, why not."""
    console = Console(width=None if Console().is_terminal else WIDTH, highlight=False)
    table = Table(title=Text(f"{found.pair.kind} pair {found.pair.id}"), expand=True, show_lines=True)
    cells = []
    for name, side in (("left", found.left), ("right", found.right)):
        table.add_column(Text(f"{name}: {side.id if side else 'missing'}"), ratio=1)
        cells.append(_conversation(side.turns if side else ()))
    if fused:
        table.add_column(Text(f"fused by {fused.strategy}, loss {fused.loss}"), ratio=1)
        table.caption = Text(f"templates: {' -> '.join(fused.templates)}\n{_lacks(fused)}")
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


def _lacks(fused: FusedRow) -> str:
    """What the last check of each cycle found unmet."""
    attempts: list[Any] = [*fused.attempts]
    last = {attempt["cycle"]: attempt["loss"]["unmet"] for attempt in attempts}
    found = (f"{', '.join(unmet) or 'nothing'} in cycle {cycle}" for cycle, unmet in sorted(last.items()))
    return f"unmet at the last check: {'; '.join(found)}".replace("_", " ")


def _reason(found: PairStory) -> str:
    reasons = [found.fusion.reason if found.fusion else None, *(row.reason for row in found.fused_rows)]
    return "; ".join(dict.fromkeys(reason for reason in reasons if reason))
