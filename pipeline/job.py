"""The whole job: every stage in order, or as far as it costs nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..graph.state import calls_of_a_fusion
from ..nodes.ask import MAX_REASKS
from .order import STAGES, stage_named
from .rate import MODEL, chosen_rater
from .run_folder import Run
from .stages import StageEnd, run_stage, state_of


async def run_all(
    run: Run, on_end: Callable[[StageEnd], None], *, retry_failed: bool = False
) -> list[StageEnd]:
    """Bring every stage up to date; `on_end` hears of each as it ends."""
    ends = []
    for stage in STAGES:
        end = await run_stage(run, stage, STAGES, retry_failed=retry_failed)
        on_end(end)
        ends.append(end)
    return ends


async def plan(run: Run, on_end: Callable[[StageEnd], None]) -> dict[str, Any]:
    """Run the stages that ask no model, up to fuse, and say how many calls the others would make.

    Where rating needs the model the pairs are not known yet, and only its calls are told.
    """
    on_end(await run_stage(run, stage_named("load"), STAGES))
    to_rate = rows_to_rate(run)
    if to_rate:
        calls = {"least": to_rate, "most": to_rate * (1 + MAX_REASKS)}
        return {"rows_to_rate": to_rate, "rating_calls": calls, "pairs": None, "fusion_calls": None}
    for name in ("rate", "embed", "score", "select"):
        on_end(await run_stage(run, stage_named(name), STAGES))
    return {"rows_to_rate": 0, "rating_calls": {"least": 0, "most": 0}, **fusion_plan(run)}


def rows_to_rate(run: Run) -> int:
    """How many ratings the model would be asked for, second ones included."""
    if state_of(run, stage_named("rate")) == "done":
        return 0
    rater = chosen_rater(run)
    rows = run.store.count("rows")
    again = min(run.settings.audit, rows)
    if rater == MODEL:
        return rows + again
    sql = "SELECT count(*) AS n FROM rows WHERE json_extract(pool_ratings, '$.' || json_quote(?)) IS NULL"
    found = run.store.one(sql, rater) or {"n": 0}
    return int(found["n"]) + again


def fusion_plan(run: Run) -> dict[str, Any]:
    """How many pairs would be fused, and the least and most calls that takes; the ledger may answer some."""
    from .fuse import chosen_pairs  # with it LangGraph, which takes a second

    pairs = len(chosen_pairs(run))
    least, most = calls_of_a_fusion(run.settings.budget)
    calls = {
        "least": pairs * least,
        "most": pairs * most,
        "most_with_reasks": pairs * most * (1 + MAX_REASKS),
    }
    return {"pairs": pairs, "fusion_calls": calls}
