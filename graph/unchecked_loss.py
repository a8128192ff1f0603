"""Symbolic loss by the model's word alone: what `loss.py` comes to with its symbolic checks switched off.

The conditions are the same. Nothing that the model reports is compared with the text or with the key terms,
and nothing is overruled.
"""

from __future__ import annotations

from typing import get_args

from ..nodes.replies import AnswerCheck, CompletenessReport
from ..records.vocabulary import Condition
from .loss import SymbolicLoss


def unchecked_merge_loss(report: CompletenessReport) -> SymbolicLoss:
    """The loss of a merged variant in Cycle 1: a term is missing that the report calls missing."""
    sides = (report.left_terms, report.right_terms)
    missing = dict.fromkeys(term for side in sides for term in side.missing)
    carried_by = {found.term: found.words for side in sides for found in side.by_meaning}
    said = (*(term for side in sides for term in side.included), *carried_by)
    included = dict.fromkeys(term for term in said if term not in missing)
    question, answer = report.question, report.answer
    unmet: set[Condition] = {"terms"} if missing else set()
    if not question.exists:
        unmet |= {"question", "context", "answer"}
    if question.needs_context:
        unmet.add("context")
    if answer.needs_regeneration or not answer.direct:
        unmet.add("answer")
    return SymbolicLoss(
        unmet=_in_order(unmet),
        included_terms=[*included],
        carried_by=carried_by,
        missing_terms=[*missing],
    )


def unchecked_answer_loss(check: AnswerCheck) -> SymbolicLoss:
    """The loss of a final answer in Cycle 2: whatever is quoted is an answer, or has to go."""
    unmet: set[Condition] = set()
    if not check.direct_answer:
        unmet.add("direct_answer")
    if check.information_to_remove:
        unmet.add("nothing_to_remove")
    return SymbolicLoss(unmet=_in_order(unmet))


def unchecked_final_loss(merged: SymbolicLoss, answered: SymbolicLoss, *, rewritten: bool) -> SymbolicLoss:
    """The loss of a variant's final text: what both cycles left unmet.

    An answer that Cycle 2 has `rewritten` is judged by Cycle 2 alone, and one that is not direct counts once,
    as in `final_loss`.
    """
    unmet = {*merged.unmet, *answered.unmet}
    if "question" not in unmet and ("direct_answer" in unmet or rewritten):
        unmet.discard("answer")
    return merged.model_copy(update={"unmet": _in_order(unmet)})


def _in_order(unmet: set[Condition]) -> list[Condition]:
    return [condition for condition in get_args(Condition) if condition in unmet]
