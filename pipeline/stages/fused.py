"""From the final state of a fusion to its records."""

from __future__ import annotations

from dataclasses import asdict
from typing import cast

from ...graph.state import Attempt, FusionSettings, FusionState, Outcome
from ...nodes.ask import Model
from ...records.calls import CallTrace
from ...records.conversation import Conversation, to_json
from ...records.fusions import Ended, FusedRow, Fusion, Recipe
from ...records.hashing import tagged_hash
from ...records.stored import JsonObject
from ...records.vocabulary import FusionAblation
from ...records.work import Claim

OPERAND_MISSING = "OperandMissing: a fusion that it builds on has no fused row; a fold goes past it"


def fused_id(fusion_id: str, variant: int) -> str:
    """The id of the fused row that one variant of a fusion becomes."""
    return f"{fusion_id}-{variant}"


def recipe_of(model: Model, settings: FusionSettings, ablate: FusionAblation = "none") -> Recipe:
    """All that shapes a fusion besides its operands and templates, as a replay needs it."""
    return Recipe(
        model=model.chat.identity,
        profile=model.profile,
        tries=model.max_beginnings,
        ablate=ablate,
        settings=asdict(settings),
    )


def asked_of(left: Conversation, right: Conversation, recipe: Recipe) -> str:
    """The hash of what was asked for: operands, model and settings.

    How often it may begin again does not shape it, and its templates are compared one by one: a fusion
    depends on those that its calls used, and no others.
    """
    shaping = {
        "operands": [to_json(left), to_json(right)],
        "model": recipe.model,
        "settings": recipe.settings,
    }
    if recipe.ablate != "none":  # so that what was fused before there were ablations is as it was
        shaping["ablate"] = recipe.ablate
    return tagged_hash("fusion", shaping)


def ended_records(claim: Claim, state: FusionState, asked: str, recipe: Recipe) -> Ended:
    """The records of a fusion whose variants have ended."""
    fusion_id, carried = claim.pair.id, state["carried"]
    outcomes = [outcome for _, outcome in sorted(state["variants"].items())]
    rows = [FusedRow.model_validate(fused_row(fusion_id, outcome, recipe.model_name)) for outcome in outcomes]
    calls = [CallTrace.model_validate(call) for call in state["calls"]]
    fusion = Fusion(
        id=fusion_id,
        asked=asked,
        status="done",
        recipe=recipe,
        domains={**state["domains"], "overrides": state["overrides"]},
        strategies=[strategy["name"] for strategy in state["strategies"]],
        templates=templates_of(calls, [attempt for outcome in outcomes for attempt in outcome["attempts"]]),
        carried=None if carried is None else fused_id(fusion_id, carried),
        missing=_missing(claim),
        calls=calls,
    )
    return Ended(fusion, rows, _sources(claim))


def failed_fusion(claim: Claim, reason: str, recipe: Recipe) -> Ended:
    """The record of a fusion that ended before its variants began; it is never taken for a finished one."""
    fusion = Fusion(
        id=claim.pair.id, asked="", status="failed", recipe=recipe, reason=reason, missing=_missing(claim)
    )
    return Ended(fusion, [], [])


def fused_row(fusion_id: str, outcome: Outcome, model: str) -> JsonObject:
    """The record of one variant as it ended, with the tokens of all its attempts."""
    attempts = outcome["attempts"]
    calls = [call for attempt in attempts for call in attempt["calls"]]
    return {
        "id": fused_id(fusion_id, outcome["variant"]),
        "fusion_id": fusion_id,
        "variant": outcome["variant"],
        "strategy": outcome["strategy"],
        "status": outcome["status"],
        "turns": list(outcome["turns"]),
        "loss": outcome["loss"],
        # the first attempt of Cycle 2 judges what Cycle 1 has written, where there was one
        "templates": [
            a["template"] for at, a in enumerate(attempts) if not at or a["cycle"] == 1 or a["attempt"] > 1
        ],
        "attempts": _without_repeats(attempts),
        "reason": outcome["reason"] or None,
        "raw": outcome["raw"] or None,
        "model": model,
        "prompt_tokens": sum(call["prompt_tokens"] for call in calls),
        "completion_tokens": sum(call["completion_tokens"] for call in calls),
    }


def templates_of(calls: list[CallTrace], attempts: list[Attempt]) -> dict[str, str]:
    """The hash of every template that the calls of a fusion used, by its name."""
    made = [*calls, *(CallTrace.model_validate(call) for attempt in attempts for call in attempt["calls"])]
    return {call.operator: call.template_hash for call in made}


def _missing(claim: Claim) -> list[str]:
    return list(dict.fromkeys((*claim.left.missing, *claim.right.missing)))


def _sources(claim: Claim) -> list[str]:
    return sorted({*claim.left.sources, *claim.right.sources})


def _without_repeats(attempts: list[Attempt]) -> list[JsonObject]:
    """The attempts, each with its text only where it is not that of the attempt before.

    Texts are most of what a run keeps of a fusion, and the first attempt of Cycle 2 judges one of Cycle 1.
    """
    stored = []
    last = None
    for attempt in attempts:
        record = cast(JsonObject, dict(attempt))
        if attempt["turns"] == last:
            del record["turns"]
        stored.append(record)
        last = attempt["turns"]
    return stored
