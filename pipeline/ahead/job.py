"""The whole job: every stage in order, or as far as it costs nothing."""

from __future__ import annotations

from collections.abc import Callable

from ...nodes.ask import MAX_REASKS
from ...records.stored import Stored
from ..run.run_folder import Run
from ..run.stage import AnyStage, StageEnd, run_stage, state_of
from ..stages.fuse import calls_of_one, chosen_pairs
from ..stages.order import stage_named
from ..stages.rate import rows_to_rate
from ..stages.select import possible_pairs
from .estimate import Estimate, estimate_of_fusions, estimate_of_ratings
from .outlook import outlook
from .resume import Resume, set_out


class Bounds(Stored):
    """The least and the most calls; `most_with_reasks` counts replies that do not fit as well."""

    least: int
    most: int
    most_with_reasks: int


class Plan(Stored):
    """What the stages that ask a model would ask. `estimate` is about what is not done yet.

    `possible` counts the pairs that there could be, of which select plans those drawn and the scope of a
    command may take fewer. Where rating needs the model the pairs are not known yet: `pairs`, `possible` and
    `fusion_calls` are None.
    """

    rows_to_rate: int
    rating_calls: Bounds
    pairs: int | None
    possible: int | None
    fusion_calls: Bounds | None
    estimate: Estimate


async def run_all(
    run: Run, on_end: Callable[[StageEnd], None], *, resume: Resume = "if-possible"
) -> list[StageEnd]:
    """Bring every stage up to date; `on_end` is called with each as it ends."""
    ends = []
    for stage in run.stages:
        end = await bring_up_to_date(run, stage, resume=resume)
        on_end(end)
        ends.append(end)
    return ends


async def bring_up_to_date(run: Run, stage: AnyStage, *, resume: Resume = "if-possible") -> StageEnd:
    """Run one stage, unless it is up to date; one that asks the model says first what it goes on with."""
    if stage.asks:
        set_out(run, stage.name, resume)
    return await run_stage(run, stage)


async def plan(run: Run, on_end: Callable[[StageEnd], None]) -> Plan:
    """Run the stages that ask no model, up to fuse, and say how many calls the others would make."""
    on_end(await run_stage(run, stage_named("load")))
    ratings = _ratings_left(run)
    if ratings:
        ahead = outlook(run, "rate")
        estimate = ahead.estimate if ahead else estimate_of_ratings(run, ratings, ratings)
        return Plan(
            rows_to_rate=ratings,
            rating_calls=_bounds(ratings, 1, 1),
            pairs=None,
            possible=None,
            fusion_calls=None,
            estimate=estimate,
        )
    for name in ("rate", "embed", "score", "select"):
        on_end(await run_stage(run, stage_named(name)))
    return fusion_plan(run)


def fusion_plan(run: Run) -> Plan:
    """How many pairs would be fused, and the least and most calls that takes; the ledger may answer some."""
    pairs = len(chosen_pairs(run))
    ahead = outlook(run, "fuse")
    return Plan(
        rows_to_rate=0,
        rating_calls=_bounds(0, 1, 1),
        pairs=pairs,
        possible=possible_pairs(run),
        fusion_calls=_bounds(pairs, *calls_of_one(run)),
        estimate=ahead.estimate if ahead else estimate_of_fusions(run, 0, 0),
    )


def _ratings_left(run: Run) -> int:
    done = state_of(run, stage_named("rate")) == "done"
    return 0 if done else rows_to_rate(run)


def _bounds(items: int, least: int, most: int) -> Bounds:
    return Bounds(least=items * least, most=items * most, most_with_reasks=items * most * (1 + MAX_REASKS))
