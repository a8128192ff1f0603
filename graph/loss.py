"""Symbolic loss: the set of conditions that a variant does not meet; its size is the number (Section 3.3).

Cycle 1 asks for `terms` (T: every key term is there), `question` (Q: a well-formed final question), `context`
(C: the question lacks nothing) and `answer` (A: the answer need not be given again). Without a question there
is nothing to give context or an answer to, so a lacking question makes those two unmet as well.
Cycle 2 asks for `direct_answer` (D) and `nothing_to_remove` (R).

The model's word stands, unless it is provably wrong; every such override is kept with its reason.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import get_args

from pydantic import BaseModel, ConfigDict

from ..nodes.replies import AnswerCheck, CompletenessReport, TermCoverage
from ..records.conversation import Conversation, last_content, plain_text
from ..records.vocabulary import Condition
from .terms import folded_words, stands_in

# what small models write when they mean nothing
_NOTHING = {"", "none", "nothing", "null", "n/a", "no"}


class SymbolicLoss(BaseModel):
    """The unmet conditions of one attempt, what they rest on, and where the model was overruled."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    unmet: list[Condition]
    included_terms: list[str] = []
    missing_terms: list[str] = []
    overrides: list[str] = []

    @property
    def size(self) -> int:
        """The loss as a number."""
        return len(self.unmet)


def merge_loss(
    report: CompletenessReport, turns: Conversation, left_terms: list[str], right_terms: list[str]
) -> SymbolicLoss:
    """The loss of a merged variant in Cycle 1, from its completeness report and the symbolic checks."""
    words = folded_words(plain_text(turns))
    included, missing, overrides = _covered(report.left_terms, left_terms, words)
    right = _covered(report.right_terms, right_terms, words)
    for part, whole in zip(right, (included, missing, overrides), strict=True):
        whole.extend(item for item in part if item not in whole)
    unmet: set[Condition] = {"terms"} if missing else set()
    if report.question.needs_context and not means_nothing(report.question.context_missing):
        unmet.add("context")
    if report.answer.needs_regeneration:
        unmet.add("answer")
    elif not last_content(turns, "assistant").strip():
        unmet.add("answer")
        overrides.append("answer: reported complete, but the last assistant part is empty")
    if not report.question.exists:
        unmet |= {"question", "context", "answer"}
    elif not last_content(turns, "user").strip():
        unmet |= {"question", "context", "answer"}
        overrides.append("question: reported to exist, but the last user part is empty")
    return SymbolicLoss(
        unmet=_in_order(unmet), included_terms=included, missing_terms=missing, overrides=overrides
    )


def answer_loss(check: AnswerCheck, turns: Conversation) -> SymbolicLoss:
    """The loss of a final answer in Cycle 2."""
    unmet: set[Condition] = set()
    overrides: list[str] = []
    if means_nothing(check.direct_answer):
        unmet.add("direct_answer")
    elif not last_content(turns, "assistant").strip():
        unmet.add("direct_answer")
        overrides.append("direct_answer: reported, but the last assistant part is empty")
    if not means_nothing(check.information_to_remove):
        unmet.add("nothing_to_remove")
    elif check.information_to_remove:
        overrides.append(f"nothing_to_remove: {check.information_to_remove!r} means nothing")
    return SymbolicLoss(unmet=_in_order(unmet), overrides=overrides)


def means_nothing(text: str | None) -> bool:
    """Whether a nullable text of a reply says that there is nothing."""
    return text is None or text.strip().strip(".").casefold() in _NOTHING


def _covered(
    coverage: TermCoverage, terms: list[str], words: list[str]
) -> tuple[list[str], list[str], list[str]]:
    """Included terms, missing terms and overrides for one source, by the report and by what stands there."""
    said_included = {term.casefold() for term in coverage.included}
    said_missing = {term.casefold() for term in coverage.missing}
    included: list[str] = []
    missing: list[str] = []
    overrides: list[str] = []
    for term in dict.fromkeys(terms):
        name = term.casefold()
        if stands_in(term, words):
            included.append(term)
            if name in said_missing:
                overrides.append(f"terms: {term!r} was reported missing but stands in the variant")
        elif name in said_included and name not in said_missing:
            included.append(term)
        else:
            missing.append(term)
            if name not in said_missing:
                overrides.append(f"terms: {term!r} was not reported and does not stand in the variant")
    return included, missing, overrides


def _in_order(unmet: Iterable[Condition]) -> list[Condition]:
    found = set(unmet)
    return [condition for condition in get_args(Condition) if condition in found]
