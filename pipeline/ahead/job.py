"""The whole job: every stage in order, or as far as it costs nothing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from ...graph.state import calls_of_a_fusion
from ...nodes.ask import MAX_REASKS
from ..run.run_folder import Run
from ..run.stage import Stage, StageEnd, run_stage
from ..stages.order import STAGES, stage_named
from ..stages.planned import chosen_pairs, rows_to_rate
from .estimate import estimate_of_fusions, estimate_of_ratings
from .outlook import outlook
from .resume import Resume, set_out


async def run_all(
    run: Run,
    on_end: Callable[[StageEnd], None],
    *,
    retry_failed: bool = False,
    resume: Resume = "if-possible",
) -> list[StageEnd]:
    """Bring every stage up to date; `on_end` hears of each as it ends."""
    ends = []
    for stage in STAGES:
        end = await bring_up_to_date(run, stage, retry_failed=retry_failed, resume=resume)
        on_end(end)
        ends.append(end)
    return ends


async def bring_up_to_date(
    run: Run, stage: Stage, *, retry_failed: bool = False, resume: Resume = "if-possible"
) -> StageEnd:
    """Run one stage, unless it is up to date; one that asks the model says first what it goes on with."""
    if stage.retries:
        set_out(run, stage.name, resume, retry_failed=retry_failed)
    return await run_stage(run, stage, STAGES, retry_failed=retry_failed)


async def plan(run: Run, on_end: Callable[[StageEnd], None]) -> dict[str, Any]:
    """Run the stages that ask no model, up to fuse, and say how many calls the others would make.

    Where rating needs the model the pairs are not known yet, and only its calls are told.
    """
    on_end(await run_stage(run, stage_named("load"), STAGES))
    to_rate = rows_to_rate(run)
    if to_rate:
        ahead = outlook(run, "rate")
        calls = {"least": to_rate, "most": to_rate * (1 + MAX_REASKS)}
        estimate = estimate_of_ratings(run, ahead.asked if ahead else to_rate)
        return {
            "rows_to_rate": to_rate,
            "rating_calls": calls,
            "pairs": None,
            "fusion_calls": None,
            "estimate": asdict(estimate),
        }
    for name in ("rate", "embed", "score", "select"):
        on_end(await run_stage(run, stage_named(name), STAGES))
    return {"rows_to_rate": 0, "rating_calls": {"least": 0, "most": 0}, **fusion_plan(run)}


def fusion_plan(run: Run) -> dict[str, Any]:
    """How many pairs would be fused, and the least and most calls that takes; the ledger may answer some.

    `estimate` is about those that are not done yet.
    """
    pairs = len(chosen_pairs(run))
    least, most = calls_of_a_fusion(run.settings.budget)
    calls = {
        "least": pairs * least,
        "most": pairs * most,
        "most_with_reasks": pairs * most * (1 + MAX_REASKS),
    }
    ahead = outlook(run, "fuse")
    estimate = estimate_of_fusions(run, ahead.asked if ahead else 0)
    return {"pairs": pairs, "fusion_calls": calls, "estimate": asdict(estimate)}
