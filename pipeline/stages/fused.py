"""From the final state of a fusion to its records, and what they add up to."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

from ...checkpoints.sqlite.run_store import Record
from ...graph.state import Attempt, FusionInput, FusionSettings, FusionState, Outcome
from ...nodes.ask import Model
from ...prompts.render import templates_hash
from ...records.rows import tagged_hash
from ..run.run_folder import Run


def fused_id(fusion_id: str, variant: int) -> str:
    """The id of the fused row that one variant of a fusion becomes."""
    return f"{fusion_id}-{variant}"


def recipe_of(model: Model, settings: FusionSettings) -> Record:
    """All that shapes a fusion besides its operands, as a replay needs it."""
    return {
        "model": model.chat.identity,
        "profile": model.profile,
        "templates": templates_hash(model.profile),
        "tries": model.tries,
        "settings": {field.name: getattr(settings, field.name) for field in fields(FusionSettings)},
    }


def asked_of(state: FusionInput, recipe: Record) -> str:
    """The hash of all that shapes a fusion; how often it may begin anew does not."""
    shaping = {name: recipe[name] for name in ("settings", "model", "templates")}
    return tagged_hash("fusion", {"operands": [state["left"], state["right"]], **shaping})


def fused_records(state: FusionState, asked: str, recipe: Record) -> tuple[Record, list[Record]]:
    """The record of a finished fusion and those of its variants."""
    fusion_id = state["fusion_id"]
    carried = state["carried"]
    fusion = {
        "id": fusion_id,
        "asked": asked,
        "recipe": recipe,
        "status": "done",
        "reason": "",
        "domains": state["domains"],
        "strategies": state["strategies"],
        "carried": fused_id(fusion_id, carried) if carried >= 0 else None,
        "calls": [*state["analysis_calls"], *state["merge_calls"]],
    }
    outcomes = [outcome for _, outcome in sorted(state["variants"].items())]
    model = recipe["model"]["model"]
    return fusion, [fused_row(fusion_id, outcome, model) for outcome in outcomes]


def failed_fusion(fusion_id: str, reason: str, recipe: Record) -> Record:
    """The record of a fusion that ended before its variants began; it is never taken for a finished one."""
    return {
        "id": fusion_id,
        "asked": "",
        "recipe": recipe,
        "status": "failed",
        "reason": reason,
        "domains": {},
        "strategies": [],
        "carried": None,
        "calls": [],
    }


def fused_row(fusion_id: str, outcome: Outcome, model: str) -> Record:
    """The record of one variant as it ended, with the tokens of all its attempts."""
    attempts = outcome["attempts"]
    calls: list[dict[str, Any]] = [call for attempt in attempts for call in attempt["calls"]]
    return {
        "id": fused_id(fusion_id, outcome["variant"]),
        "fusion_id": fusion_id,
        "variant": outcome["variant"],
        "strategy": outcome["strategy"],
        "status": outcome["status"],
        "turns": outcome["turns"],
        "loss": outcome["loss"],
        # the first attempt of Cycle 2 judges what Cycle 1 has written
        "templates": [a["template"] for a in attempts if a["cycle"] == 1 or a["attempt"] > 1],
        "attempts": _without_repeats(attempts),
        "reason": outcome["reason"],
        "raw": outcome["raw"],
        "model": model,
        "prompt_tokens": sum(call["prompt_tokens"] for call in calls),
        "completion_tokens": sum(call["completion_tokens"] for call in calls),
    }


def _without_repeats(attempts: list[Attempt]) -> list[Record]:
    """The attempts, each with its text only where it is not that of the attempt before.

    Texts are most of what a run keeps of a fusion, and the first attempt of Cycle 2 judges one of Cycle 1.
    """
    stored = []
    last = None
    for attempt in attempts:
        record: Record = {**attempt}
        if attempt["turns"] == last:
            del record["turns"]
        stored.append(record)
        last = attempt["turns"]
    return stored


def overrides(run: Run) -> int:
    """How often a symbolic check overruled the model's word, in all attempts of the fusions at hand."""
    sql = (
        "SELECT coalesce(sum(json_array_length(attempt.value, '$.loss.overrides')), 0) AS n "
        "FROM fused_rows, json_each(attempts) AS attempt"
    )
    found = run.store.one(sql) or {"n": 0}
    return int(found["n"])
