"""Time travel: go back to an attempt of a variant, with the state it had, and run on from there.

A fusion's steps are first rebuilt from the ledger; the state before the attempt is put into a thread of its
own of the variant graph, and only what comes after it runs.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from typing import Any, NamedTuple, cast

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.types import Command

from ...checkpoints import thread_id
from ...graph.fusion_steps import failed_outcome
from ...graph.optimizer import routes
from ...graph.state import FusionSettings, Outcome, TurnJson
from ...graph.variant import variant_graph
from ...nodes.ask import Model
from ...nodes.templates import check_of
from ...records.errors import ModelError, UsageError
from ...records.fusions import Fork
from ...records.hashing import tagged_hash
from ...records.stored import JsonObject
from ...records.vocabulary import FusionAblation
from ..stages.fused import fused_row
from .trace import Step, run_traced

EDITED = "edited"


class Point(NamedTuple):
    """An attempt of a variant: where a fork begins."""

    variant: int
    cycle: int
    attempt: int

    def __str__(self) -> str:
        return f"{self.variant}:{self.cycle}:{self.attempt}"


def point_of(text: str) -> Point:
    """Read VARIANT:CYCLE:ATTEMPT; anything else is a UsageError."""
    found = re.fullmatch(r"([0-9]+):([12]):([0-9]+)", text)
    if found is None:
        message = f"{text!r} is not a point of a fusion"
        raise UsageError(
            message, "give VARIANT:CYCLE:ATTEMPT, such as 1:1:2 for variant 1, cycle 1, attempt 2"
        )
    return Point(*map(int, found.groups()))


@dataclass(frozen=True)
class Changes:
    """What is changed at a point: the model, the attempt's template, the temperature or its text."""

    model: str | None = None
    template: str | None = None
    temperature: float | None = None
    turns: list[TurnJson] | None = None


@dataclass(frozen=True)
class ForkedRun:
    """A variant run on from a point: its record, and the steps that ran."""

    record: Fork
    steps: list[Step]


def step_at(steps: Iterable[Step], point: Point) -> Step:
    """The first step of an attempt: the one that writes its text, or judges what the cycle begins with.

    Raises UsageError, with the points that there are, where the fusion never came there.
    """
    first: dict[Point, Step] = {}
    for step in steps:
        if step.variant is not None and step.cycle is not None and step.attempt is not None:
            first.setdefault(Point(step.variant, step.cycle, step.attempt), step)
    if point not in first:
        message = f"the fusion has no attempt {point}"
        raise UsageError(message, f"it has {', '.join(map(str, sorted(first))) or 'none'}")
    return first[point]


def text_at(steps: list[Step], point: Point) -> list[TurnJson]:
    """The text of an attempt, as it was judged; where writing it failed, the text before."""
    step = step_at(steps, point)
    return cast(list[TurnJson], step.changed.get("turns", step.given["turns"]))


async def fork(
    steps: list[Step],
    point: Point,
    changes: Changes,
    model: Model,
    settings: FusionSettings,
    saver: BaseCheckpointSaver[Any],
    ablate: FusionAblation = "none",
) -> ForkedRun:
    """Run a variant on from a point with other settings or another text; nothing before it is asked again.

    What was switched off in the fusion (`ablate`) stays so.

    Every superstep is kept by the saver, in the fork's own thread. Raises UsageError where a template cannot
    write that attempt.
    """
    step = step_at(steps, point)
    go_on: Command[str] = Command(goto=_next_node(step, point, changes, ablate))
    brief, state = step.given["brief"], step.given
    if changes.turns is not None:
        state = {**state, "turns": changes.turns, "template": EDITED, "calls": []}
    if changes.temperature is not None:
        settings = replace(settings, temperature=changes.temperature)
    known = {"model": model.chat.identity, "settings": asdict(settings), **asdict(changes)}
    if ablate != "none":
        known["ablate"] = ablate
    fork_id = "fork-" + tagged_hash("fork", [brief["fusion_id"], list(point), known])[:16]
    thread = thread_id(fork_id)
    config = RunnableConfig(recursion_limit=settings.recursion_limit, configurable={"thread_id": thread})
    graph = variant_graph(model, ablate).compile(checkpointer=saver, name="variant")
    after: list[Step] = []
    await saver.adelete_thread(thread)
    try:
        # as if it had ended there, so that nothing but the node named next is waiting
        await graph.aupdate_state(config, state, as_node="finish")
        ended = await run_traced(graph, go_on, config, settings, after)
        outcome: Outcome = ended["variants"][str(brief["variant"])]
    except ModelError as error:
        if error.stops_run:
            raise
        outcome = failed_outcome(brief, error)
    record = fused_row(brief["fusion_id"], outcome, model.chat.identity["model"])
    place: JsonObject = {"cycle": point.cycle, "attempt": point.attempt, "changes": _told(changes)}
    own: JsonObject = {"id": fork_id, "created": datetime.now(UTC).isoformat(timespec="seconds")}
    return ForkedRun(Fork.model_validate({**record, **place, **own}), after)


def _next_node(step: Step, point: Point, changes: Changes, ablate: FusionAblation) -> str:
    """The node that runs first: what writes the attempt, or what judges a text that is there."""
    if changes.template is None:
        return step.node if changes.turns is None else check_of(point.cycle).name
    if point.attempt == 1:
        message = f"attempt {point} is what its cycle begins with: no template writes it"
        raise UsageError(message, "set a template from a cycle's second attempt on")
    candidates = [*routes(point.cycle, ablate).values()]
    if changes.template not in candidates:
        message = f"no template {changes.template!r} can write attempt {point}"
        raise UsageError(message, f"choose one of {', '.join(candidates)}")
    return changes.template


def _told(changes: Changes) -> JsonObject:
    return {name: value for name, value in asdict(changes).items() if value is not None}
