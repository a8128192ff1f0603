"""The steps of one variant: unpack the state, ask one operator, return only what changed."""

from __future__ import annotations

from typing import Any, Literal, Protocol

from langgraph.runtime import Runtime

from ..nodes.ask import Model
from ..nodes.final_answer_check import check_final_answer
from ..nodes.final_answer_update import give_missing_answer, remove_redundancy
from ..nodes.information_completeness import detect_completeness
from ..nodes.replies import AnswerCheck, CompletenessReport, DomainReport
from ..nodes.revision import RevisionFacts, RevisionTemplate, revise
from ..prompts.strategies import strategies_for
from ..records.calls import CallTrace
from ..records.conversation import Conversation, from_json, to_json, with_last_answer
from .loss import SymbolicLoss, answer_loss, merge_loss
from .optimizer import least, next_revision, next_update
from .state import Attempt, FusionSettings, Json, VariantState

# the node that judges an attempt, by cycle
CHECKS: dict[int, str] = {1: "information_completeness", 2: "final_answer_check"}


class Step(Protocol):
    """A node of the variant graph, as LangGraph calls it."""

    async def __call__(self, state: VariantState, *, runtime: Runtime[FusionSettings]) -> VariantState:
        """Return the keys that change."""


class VariantSteps:
    """The nodes of the variant graph, bound to a model."""

    def __init__(self, model: Model) -> None:
        self._model = model

    async def information_completeness(
        self, state: VariantState, runtime: Runtime[FusionSettings]
    ) -> VariantState:
        """Cycle 1: report what the current text lacks and add the attempt with its loss."""
        turns = from_json(state["turns"])
        domains = DomainReport.model_validate(state["brief"]["domains"])
        left_terms, right_terms = list(domains.left.key_terms), list(domains.right.key_terms)
        number = len(attempts_of(state, 1)) + 1
        asked = await detect_completeness(
            turns,
            left_terms,
            right_terms,
            self._model,
            temperature=runtime.context.temperature,
            attempt=number,
        )
        loss = merge_loss(asked.reply, turns, left_terms, right_terms)
        return _attempted(state, 1, asked.reply.model_dump(), loss, asked.calls)

    def revision(self, template: RevisionTemplate) -> Step:
        """The step of one revision template."""

        async def step(state: VariantState, runtime: Runtime[FusionSettings]) -> VariantState:
            revised = await revise(
                template,
                _facts(state),
                self._model,
                temperature=runtime.context.temperature,
                attempt=len(attempts_of(state, 1)) + 1,
            )
            return _written(template, revised.turns, revised.calls)

        return step

    async def keep_best_merge(self, state: VariantState, runtime: Runtime[FusionSettings]) -> VariantState:
        """The budget of Cycle 1 is spent: go on with the attempt of least loss."""
        best = best_attempt(state, 1, runtime.context.seed)
        return {"turns": best["turns"], "template": best["template"]}

    async def final_answer_check(self, state: VariantState, runtime: Runtime[FusionSettings]) -> VariantState:
        """Cycle 2: judge the last answer of the current text and add the attempt with its loss."""
        turns = from_json(state["turns"])
        number = len(attempts_of(state, 2)) + 1
        asked = await check_final_answer(
            turns, self._model, temperature=runtime.context.temperature, attempt=number
        )
        return _attempted(state, 2, asked.reply.model_dump(), answer_loss(asked.reply, turns), asked.calls)

    async def missing_answer(self, state: VariantState, runtime: Runtime[FusionSettings]) -> VariantState:
        """Give the direct answer that is missing; the user part is frozen."""
        turns = from_json(state["turns"])
        asked = await give_missing_answer(
            turns,
            self._model,
            temperature=runtime.context.temperature,
            attempt=len(attempts_of(state, 2)) + 1,
        )
        return _written("missing_answer", with_last_answer(turns, asked.reply.answer), asked.calls)

    async def redundant(self, state: VariantState, runtime: Runtime[FusionSettings]) -> VariantState:
        """Leave out of the answer what does not belong there; the user part is frozen."""
        turns = from_json(state["turns"])
        check = AnswerCheck.model_validate(state["attempts"][-1]["report"])
        asked = await remove_redundancy(
            turns,
            check.direct_answer or "",
            check.information_to_remove or "",
            self._model,
            temperature=runtime.context.temperature,
            attempt=len(attempts_of(state, 2)) + 1,
        )
        return _written("redundant", with_last_answer(turns, asked.reply.answer), asked.calls)

    async def keep_best_answer(self, state: VariantState, runtime: Runtime[FusionSettings]) -> VariantState:
        """The budget of Cycle 2 is spent: go on with the attempt of least loss."""
        return {"turns": best_attempt(state, 2, runtime.context.seed)["turns"]}

    async def finish(self, state: VariantState, runtime: Runtime[FusionSettings]) -> VariantState:
        """Hand the variant over, with the loss that is left and every attempt made."""
        seed = runtime.context.seed
        left_over = sum(len(best_attempt(state, cycle, seed)["loss"]["unmet"]) for cycle in (1, 2))
        return {
            "variants": {
                str(state["brief"]["variant"]): {
                    "variant": state["brief"]["variant"],
                    "strategy": state["brief"]["strategy"],
                    "status": "fused",
                    "turns": state["turns"],
                    "loss": left_over,
                    "attempts": state["attempts"],
                    "reason": "",
                    "raw": "",
                }
            }
        }


def after_completeness(state: VariantState, runtime: Runtime[FusionSettings]) -> str:
    """The prompt optimizer as the edge that leaves Cycle 1's check."""
    made = attempts_of(state, 1)
    return next_revision(made[-1]["loss"]["unmet"], len(made), runtime.context.budget)


def after_answer_check(state: VariantState, runtime: Runtime[FusionSettings]) -> str:
    """The prompt optimizer as the edge that leaves Cycle 2's check."""
    made = attempts_of(state, 2)
    return next_update(made[-1]["loss"]["unmet"], len(made), runtime.context.budget)


def attempts_of(state: VariantState, cycle: int) -> list[Attempt]:
    """The attempts of one cycle, in order."""
    return [attempt for attempt in state.get("attempts", []) if attempt["cycle"] == cycle]


def best_attempt(state: VariantState, cycle: int, seed: int) -> Attempt:
    """The attempt of one cycle that goes on."""
    brief = state["brief"]
    return best_of(attempts_of(state, cycle), seed, brief["fusion_id"], brief["variant"], cycle)


def best_of(made: list[Attempt], seed: int, fusion_id: str, variant: int, cycle: int) -> Attempt:
    """The attempt of least loss; ties are drawn by (seed, fusion, variant, cycle)."""
    losses = [len(attempt["loss"]["unmet"]) for attempt in made]
    return made[least(losses, seed, fusion_id, variant, cycle)]


def _attempted(
    state: VariantState, cycle: Literal[1, 2], report: Json, loss: SymbolicLoss, calls: list[CallTrace]
) -> VariantState:
    attempt: Attempt = {
        "cycle": cycle,
        "attempt": len(attempts_of(state, cycle)) + 1,
        "template": state["template"],
        "turns": state["turns"],
        "report": report,
        "loss": loss.model_dump(),
        "calls": [*state.get("calls", []), *(call.model_dump() for call in calls)],
    }
    return {"attempts": [*state.get("attempts", []), attempt], "calls": []}


def _written(template: str, turns: Conversation, calls: list[CallTrace]) -> VariantState:
    return {
        "turns": to_json(turns),
        "template": template,
        "calls": [call.model_dump() for call in calls],
    }


def _facts(state: VariantState) -> RevisionFacts:
    last = attempts_of(state, 1)[-1]
    report = CompletenessReport.model_validate(last["report"])
    loss = SymbolicLoss.model_validate(last["loss"])
    domains: dict[str, Any] = state["brief"]["domains"]
    strategy = strategies_for(domains["relationship"])[state["brief"]["variant"]]
    return RevisionFacts(
        variant=from_json(state["turns"]),
        left=from_json(state["brief"]["left"]),
        right=from_json(state["brief"]["right"]),
        domains=domains,
        strategy=strategy._asdict(),
        included_terms=loss.included_terms,
        missing_terms=loss.missing_terms,
        matching_rules={side: domains[side]["matching_rule"] for side in ("left", "right")},
        question_type=report.question.type,
        context_present=report.question.context_contain,
        context_missing=report.question.context_missing,
        answer_fault=report.answer.explanation,
    )
