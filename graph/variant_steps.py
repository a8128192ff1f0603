"""The steps of one variant: unpack the state, ask one operator, return only what changed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from langgraph.runtime import Runtime

from ..nodes.ask import Model
from ..nodes.final_answer_check import check_final_answer
from ..nodes.information_completeness import detect_completeness
from ..nodes.merged_corpus_generation import merge_corpora
from ..nodes.replies import AnswerCheck, CompletenessReport, turns_of
from ..nodes.revision import RevisionFacts, UpdateFacts, revise
from ..nodes.templates import CYCLES, Writer, writers_of
from ..records.calls import CallTrace
from ..records.conversation import Conversation, from_json, to_json
from ..records.vocabulary import Cycle, FusionAblation
from .edits import measured
from .loss import SymbolicLoss, answer_loss, covered_terms, final_loss, merge_loss
from .optimizer import MERGE_TEMPLATE, least, next_route, routes
from .state import Attempt, FusionSettings, Json, VariantState
from .unchecked_loss import unchecked_answer_loss, unchecked_final_loss, unchecked_merge_loss


class Step(Protocol):
    """A node of the variant graph, as LangGraph calls it."""

    async def __call__(self, state: VariantState, *, runtime: Runtime[FusionSettings]) -> VariantState:
        """Return the keys that change."""


class VariantSteps:
    """The nodes of the variant graph, bound to a model; `ablate` is the part that is switched off."""

    def __init__(self, model: Model, ablate: FusionAblation = "none") -> None:
        self.ablate = ablate
        self._model = model

    async def information_completeness(
        self, state: VariantState, runtime: Runtime[FusionSettings]
    ) -> VariantState:
        """Cycle 1: report what the current text lacks and add the attempt with its loss."""
        turns = from_json(state["turns"])
        left_terms, right_terms = _key_terms(state)
        number = len(attempts_of(state, 1)) + 1
        asked = await detect_completeness(
            turns,
            left_terms,
            right_terms,
            self._model,
            temperature=runtime.context.temperature,
            attempt=number,
        )
        if self.ablate == "checks":
            loss = unchecked_merge_loss(asked.reply)
        else:
            loss = merge_loss(asked.reply, turns, left_terms, right_terms)
        return _attempted(state, 1, asked.reply.model_dump(), loss, asked.calls)

    def writers(self, cycle: Cycle) -> dict[str, Step]:
        """The steps that may write the next attempt of a cycle, by the names of their templates."""
        names = routes(cycle, self.ablate).values()
        if MERGE_TEMPLATE in names:
            return {MERGE_TEMPLATE: self.merge_again}
        writers = {writer.name: writer for writer in writers_of(cycle)}
        return {name: self.revision(writers[name]) for name in names}

    async def merge_again(self, state: VariantState, runtime: Runtime[FusionSettings]) -> VariantState:
        """Merge the pair once more, and take this variant of the three.

        Equal requests share one call: variants that are at the same attempt are written by the same reply.
        """
        brief = state["brief"]
        asked = await merge_corpora(
            from_json(brief["left"]),
            from_json(brief["right"]),
            brief["domains"],
            brief["strategies"],
            self._model,
            temperature=runtime.context.temperature,
            attempt=len(attempts_of(state, 1)) + 1,
        )
        draft = asked.reply.variants[brief["variant"]]
        return {
            "turns": to_json(turns_of(draft.exchanges)),
            "template": MERGE_TEMPLATE,
            "plan": draft.plan,
            "edit": None,
            "calls": [call.model_dump() for call in asked.calls],
        }

    def revision(self, template: Writer) -> Step:
        """The step of a template that writes the next attempt of its cycle."""

        async def step(state: VariantState, runtime: Runtime[FusionSettings]) -> VariantState:
            before = from_json(state["turns"])
            revised = await revise(
                template,
                _merge_facts(state) if template.place == 1 else _answer_facts(state),
                self._model,
                temperature=runtime.context.temperature,
                attempt=len(attempts_of(state, template.place)) + 1,
            )
            edit = measured(template, before, revised.turns)
            return {
                "turns": to_json(revised.turns),
                "template": template.name,
                "plan": revised.plan,
                "edit": edit.model_dump() if edit else None,
                "calls": [call.model_dump() for call in revised.calls],
            }

        return step

    def keep_best(self, cycle: Cycle) -> Step:
        """The step that goes on with the attempt of least loss, the budget of a cycle being spent."""

        async def step(state: VariantState, runtime: Runtime[FusionSettings]) -> VariantState:
            best = best_attempt(state, cycle, runtime.context)
            return {"turns": best["turns"], "template": best["template"]}

        return step

    async def final_answer_check(self, state: VariantState, runtime: Runtime[FusionSettings]) -> VariantState:
        """Cycle 2: judge the last answer of the current text and add the attempt with its loss."""
        turns = from_json(state["turns"])
        number = len(attempts_of(state, 2)) + 1
        asked = await check_final_answer(
            turns, self._model, temperature=runtime.context.temperature, attempt=number
        )
        unchecked = self.ablate == "checks"
        loss = unchecked_answer_loss(asked.reply) if unchecked else answer_loss(asked.reply, turns)
        return _attempted(state, 2, asked.reply.model_dump(), loss, asked.calls)

    async def finish(self, state: VariantState, runtime: Runtime[FusionSettings]) -> VariantState:
        """Hand the variant over, with the loss of its text and every attempt made."""
        (merged, before), (answered, _) = (_ended(state, cycle, runtime.context) for cycle in CYCLES)
        after = from_json(state["turns"])
        if self.ablate == "checks":
            loss = unchecked_final_loss(merged, answered, rewritten=before != after)
        else:
            terms = _terms_in(after, state, runtime.context)
            loss = final_loss(merged, answered, terms, rewritten=before != after)
        return {
            "variants": {
                str(state["brief"]["variant"]): {
                    "variant": state["brief"]["variant"],
                    "strategy": state["brief"]["strategy"]["name"],
                    "status": "fused",
                    "turns": state["turns"],
                    "loss": loss.size,
                    "attempts": state["attempts"],
                    "reason": "",
                    "raw": "",
                }
            }
        }


def optimizer_edge(
    cycle: Cycle, ablate: FusionAblation = "none"
) -> Callable[[VariantState, Runtime[FusionSettings]], str]:
    """The prompt optimizer as the edge that leaves the check of a cycle."""

    def edge(state: VariantState, runtime: Runtime[FusionSettings]) -> str:
        made = attempts_of(state, cycle)
        return next_route(cycle, made[-1]["loss"]["unmet"], len(made), runtime.context.budget, ablate)

    return edge


def attempts_of(state: VariantState, cycle: int) -> list[Attempt]:
    """The attempts of one cycle, in order."""
    return [attempt for attempt in state.get("attempts", []) if attempt["cycle"] == cycle]


def best_attempt(state: VariantState, cycle: int, settings: FusionSettings) -> Attempt:
    """The attempt of one cycle that goes on."""
    brief = state["brief"]
    return best_of(attempts_of(state, cycle), settings, brief["fusion_id"], brief["variant"], cycle)


def best_of(
    made: list[Attempt], settings: FusionSettings, fusion_id: str, variant: int, cycle: int
) -> Attempt:
    """The attempt of least loss, of those the one that misses the fewest terms unless the tie is the paper's.

    What is then equal is drawn by (seed, fusion, variant, cycle).
    """
    by_terms = settings.tie == "terms"
    losses = [(len(a["loss"]["unmet"]), by_terms * len(a["loss"]["missing_terms"])) for a in made]
    return made[least(losses, settings.seed, fusion_id, variant, cycle)]


def _ended(state: VariantState, cycle: Cycle, settings: FusionSettings) -> tuple[SymbolicLoss, Conversation]:
    """What a cycle left unmet, and of which text: nothing, of the present one, where it is switched off."""
    if not attempts_of(state, cycle):
        return SymbolicLoss(unmet=[]), from_json(state["turns"])
    best = best_attempt(state, cycle, settings)
    return SymbolicLoss.model_validate(best["loss"]), from_json(best["turns"])


def _key_terms(state: VariantState) -> tuple[list[str], list[str]]:
    """The key terms of the left and of the right source."""
    domains = state["brief"]["domains"]
    return domains["left"]["key_terms"], domains["right"]["key_terms"]


def _terms_in(turns: Conversation, state: VariantState, settings: FusionSettings) -> SymbolicLoss:
    """What of the key terms a text has, by what Cycle 1 reports; nothing where it is switched off."""
    if not attempts_of(state, 1):
        return SymbolicLoss(unmet=[])
    report = CompletenessReport.model_validate(best_attempt(state, 1, settings)["report"])
    return covered_terms(report, turns, *_key_terms(state))


def _attempted(
    state: VariantState, cycle: Cycle, report: Json, loss: SymbolicLoss, calls: list[CallTrace]
) -> VariantState:
    attempt: Attempt = {
        "cycle": cycle,
        "attempt": len(attempts_of(state, cycle)) + 1,
        "template": state["template"],
        "plan": state.get("plan", ""),
        "edit": state.get("edit"),
        "turns": state["turns"],
        "report": report,
        "loss": loss.model_dump(),
        "calls": [*state.get("calls", []), *(call.model_dump() for call in calls)],
    }
    return {"attempts": [*state.get("attempts", []), attempt], "calls": [], "plan": "", "edit": None}


def _merge_facts(state: VariantState) -> RevisionFacts:
    last = attempts_of(state, 1)[-1]
    report = CompletenessReport.model_validate(last["report"])
    loss = SymbolicLoss.model_validate(last["loss"])
    domains: dict[str, Any] = state["brief"]["domains"]
    return RevisionFacts(
        variant=from_json(state["turns"]),
        left=from_json(state["brief"]["left"]),
        right=from_json(state["brief"]["right"]),
        domains=domains,
        strategy=state["brief"]["strategy"],
        included_terms=loss.included_terms,
        missing_terms=loss.missing_terms,
        matching_rules={side: domains[side]["matching_rule"] for side in ("left", "right")},
        question_type=report.question.type,
        context_present=report.question.context_contain,
        context_missing=report.question.context_missing,
        answer_fault=report.answer.explanation,
    )


def _answer_facts(state: VariantState) -> UpdateFacts:
    check = AnswerCheck.model_validate(attempts_of(state, 2)[-1]["report"])
    return UpdateFacts(
        variant=from_json(state["turns"]),
        answer_fault=check.said_instead,
        direct_answer=check.direct_answer or "",
        information_to_remove=check.information_to_remove or "",
    )
