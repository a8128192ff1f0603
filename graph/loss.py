"""Symbolic loss: the set of conditions that a variant does not meet; its size is the number (Section 3.3).

Cycle 1 asks for `terms` (T: every key term is there), `question` (Q: a well-formed final question), `context`
(C: the question lacks nothing) and `answer` (A: the answer need not be given again). Without a question there
is nothing to give context or an answer to, so a lacking question makes those two unmet as well.
Cycle 2 asks for `direct_answer` (D) and `nothing_to_remove` (R).

The model's word stands, unless it is provably wrong; every such override is kept with its reason.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import get_args

from pydantic import BaseModel, ConfigDict

from ..nodes.replies import AnswerCheck, CompletenessReport, TermCoverage
from ..records.conversation import Conversation, last_content
from ..records.vocabulary import Condition
from .terms import Word, is_quoted, same_term, stands_in, words_of

# what small models write when they mean nothing
_NOTHING = {"none", "nothing", "null", "n/a", "no"}


class SymbolicLoss(BaseModel):
    """The unmet conditions of one attempt, what they rest on, and where the model was overruled.

    `carried_by` has the words of the text that stand for an included term which the text says in other words.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    unmet: list[Condition]
    included_terms: list[str] = []
    carried_by: dict[str, str] = {}
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
    terms = covered_terms(report, turns, left_terms, right_terms)
    overrides = terms.overrides
    unmet: set[Condition] = {"terms"} if terms.missing_terms else set()
    question, answer = report.question, report.answer
    named = not means_nothing(question.context_missing)
    if question.needs_context and named:
        unmet.add("context")
    elif question.needs_context:
        overrides.append("context: reported to be needed, but nothing is named as missing")
    elif named:
        overrides.append(f"context: reported not to be needed, but {question.context_missing!r} as missing")
    if answer.needs_regeneration:
        unmet.add("answer")
    elif not answer.direct:
        unmet.add("answer")
        overrides.append("answer: reported complete, but not direct")
    elif not last_content(turns, "assistant").strip():
        unmet.add("answer")
        overrides.append("answer: reported complete, but the last assistant part is empty")
    if not question.exists:
        unmet |= {"question", "context", "answer"}
    elif not last_content(turns, "user").strip():
        unmet |= {"question", "context", "answer"}
        overrides.append("question: reported to exist, but the last user part is empty")
    return terms.model_copy(update={"unmet": _in_order(unmet), "overrides": overrides})


def answer_loss(check: AnswerCheck, turns: Conversation) -> SymbolicLoss:
    """The loss of a final answer in Cycle 2."""
    unmet: set[Condition] = set()
    overrides: list[str] = []
    answer = words_of(last_content(turns, "assistant"))
    if means_nothing(check.direct_answer, answer):
        unmet.add("direct_answer")
    elif not answer:
        unmet.add("direct_answer")
        overrides.append("direct_answer: reported, but the last assistant part is empty")
    elif not is_quoted(check.direct_answer or "", answer):
        unmet.add("direct_answer")
        overrides.append("direct_answer: quoted, but it does not stand in the last assistant part")
    if not means_nothing(check.information_to_remove, answer):
        unmet.add("nothing_to_remove")
    elif check.information_to_remove:
        overrides.append(f"nothing_to_remove: {check.information_to_remove!r} means nothing")
    return SymbolicLoss(unmet=_in_order(unmet), overrides=overrides)


def final_loss(
    merged: SymbolicLoss, answered: SymbolicLoss, terms: SymbolicLoss, *, rewritten: bool
) -> SymbolicLoss:
    """The loss of a variant's final text: what both cycles left unmet, checked once more without a call.

    `merged` and `answered` are the losses that the cycles ended with, `terms` is what of the terms stands in
    the final text (`covered_terms`): one that disappeared with the old answer is missing, one that the new
    answer brought in is not. An answer that Cycle 2 has `rewritten` is judged by Cycle 2 alone, and one that
    is not direct counts once.
    """
    unmet = {*merged.unmet, *answered.unmet} - {"terms"}
    if terms.missing_terms:
        unmet.add("terms")
    if "question" not in unmet and ("direct_answer" in unmet or rewritten):
        unmet.discard("answer")
    return terms.model_copy(update={"unmet": _in_order(unmet), "overrides": []})


def means_nothing(text: str | None, among: Sequence[Word] = ()) -> bool:
    """Whether a nullable text of a reply says that there is nothing: by null, by blanks, or by a word for it.

    Such a word may be a quotation: where it stands `among` the words that are asked about, it is one.
    """
    if text is None or not text.strip():
        return True
    return text.strip().strip(".").casefold() in _NOTHING and not is_quoted(text, among)


def covered_terms(
    report: CompletenessReport, turns: Conversation, left_terms: list[str], right_terms: list[str]
) -> SymbolicLoss:
    """What a text has of the terms, by the report of Cycle 1 and by what stands there; nothing is unmet yet.

    What counts of a term is what the report says of it for the sources that have it.
    """
    words = words_of(*(turn.content for turn in turns))
    sources = ((left_terms, report.left_terms), (right_terms, report.right_terms))
    found = SymbolicLoss(unmet=[])
    for term in dict.fromkeys([*left_terms, *right_terms]):
        reports = [coverage for terms, coverage in sources if term in terms]
        said_missing = any(same_term(term, said) for part in reports for said in part.missing)
        claims = [words_for for part in reports for words_for in _claims(term, part)]
        carrying = next((claim for claim in claims if _carried(claim, words)), None)
        if stands_in(term, words):
            found.included_terms.append(term)
            if said_missing:
                found.overrides.append(f"terms: {term!r} was reported missing but stands in the variant")
        elif carrying and not said_missing:
            found.included_terms.append(term)
            found.carried_by[term] = carrying
        else:
            found.missing_terms.append(term)
            if claims and not carrying:
                found.overrides.append(
                    f"terms: {term!r} was reported included, but {claims[0]!r} is not there"
                )
            elif not said_missing:
                found.overrides.append(f"terms: {term!r} was not reported and does not stand in the variant")
    return found


def _claims(term: str, reported: TermCoverage) -> list[str]:
    """The words that a report says a term stands in: the term as it was spelled, or what carries it."""
    as_given = [said for said in reported.included if same_term(term, said)]
    return as_given + [found.words for found in reported.by_meaning if same_term(term, found.term)]


def _carried(claim: str, words: Sequence[Word]) -> bool:
    return bool(words_of(claim)) and is_quoted(claim, words)


def _in_order(unmet: Iterable[Condition]) -> list[Condition]:
    found = set(unmet)
    return [condition for condition in get_args(Condition) if condition in found]
