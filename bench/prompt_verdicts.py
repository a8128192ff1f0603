"""What the two checks say of a text whose faults are known: ICD (Fig. 13) and FAC (Fig. 11)."""

from __future__ import annotations

from dataclasses import dataclass

from entp.graph.loss import answer_loss, merge_loss
from entp.graph.terms import same_term, words_of
from entp.nodes.ask import Model
from entp.nodes.final_answer_check import check_final_answer
from entp.nodes.information_completeness import detect_completeness
from entp.nodes.replies import AnswerCheck, CompletenessReport
from entp.records.errors import ModelError
from prompt_cases import Case, Fault, Origin

ICD, FAC = "information_completeness", "final_answer_check"
# which check has to see a fault; with none, neither may see one
CHECKS: dict[Fault, tuple[str, ...]] = {
    "none": (ICD, FAC),
    "term removed": (ICD,),
    "question cut off": (ICD,),
    "answer swapped": (ICD, FAC),
    "paragraph added": (FAC,),
}
# of the words that are to be removed, the share that must be the paragraph's
NAMED = 0.5


@dataclass(frozen=True)
class Verdict:
    """Whether a check saw what is true: by the model's word alone, and by the loss that comes of it.

    Both are None where no reply was usable.
    """

    fault: Fault
    operator: str
    origin: Origin
    word: bool | None
    checked: bool | None


async def verdict(case: Case, operator: str, model: Model) -> Verdict:
    """Ask one check about one text."""
    judge = _completeness if operator == ICD else _answer
    word, checked = None, None
    try:
        word, checked = await judge(case, model)
    except ModelError as error:
        if error.stops_run:
            raise
    return Verdict(case.fault, operator, case.text.origin, word, checked)


async def _completeness(case: Case, model: Model) -> tuple[bool, bool]:
    text = case.text
    asked = await detect_completeness(text.turns, text.left_terms, text.right_terms, model)
    loss = merge_loss(asked.reply, text.turns, text.left_terms, text.right_terms)
    return _word(asked.reply, case), {
        "none": not loss.unmet,
        "term removed": case.planted in loss.missing_terms,
        "question cut off": "question" in loss.unmet,
        "answer swapped": "answer" in loss.unmet,
    }[case.fault]


def _word(report: CompletenessReport, case: Case) -> bool:
    """Whether the report says what is true, read as it stands."""
    said = [*report.left_terms.missing, *report.right_terms.missing]
    question, answer = report.question, report.answer
    match case.fault:
        case "term removed":
            return any(same_term(case.planted, term) for term in said)
        case "question cut off":
            return not question.exists
        case "answer swapped":
            return answer.needs_regeneration
        case _:
            return (
                not any(
                    same_term(term, each)
                    for term in (*case.text.left_terms, *case.text.right_terms)
                    for each in said
                )
                and question.exists
                and not question.needs_context
                and answer.direct
                and not answer.needs_regeneration
            )


async def _answer(case: Case, model: Model) -> tuple[bool, bool]:
    check = (await check_final_answer(case.text.turns, model)).reply
    unmet = answer_loss(check, case.text.turns).unmet
    match case.fault:
        case "answer swapped":
            return not check.direct_answer, "direct_answer" in unmet
        case "paragraph added":
            named = _names(check, case.planted)
            return named, named and "nothing_to_remove" in unmet
        case _:
            return bool(check.direct_answer) and not check.information_to_remove, not unmet


def _names(check: AnswerCheck, paragraph: str) -> bool:
    """Whether what is to be removed is the paragraph, for the greater part."""
    said = [word.text.casefold() for word in words_of(check.information_to_remove or "")]
    there = {word.text.casefold() for word in words_of(paragraph)}
    return bool(said) and sum(word in there for word in said) >= NAMED * len(said)
