"""Revision (Cycle 1): the nine templates that the prompt optimizer switches between (Fig. 16-24)."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, Literal, TypeAlias

from ..prompts import inputs
from ..records.calls import CallTrace
from ..records.conversation import Conversation, with_last_answer
from .ask import TEMPERATURE, Model, ask
from .merged_corpus_generation import turns_of
from .replies import Answer, MergedVariant

RevisionTemplate: TypeAlias = Literal[
    "terms",
    "terms_answer",
    "terms_context",
    "terms_context_answer",
    "terms_question",
    "question",
    "context",
    "context_answer",
    "answer",
]

INPUTS: dict[RevisionTemplate, type[inputs.TemplateInput]] = {
    "terms": inputs.TermsInput,
    "terms_answer": inputs.TermsAnswerInput,
    "terms_context": inputs.TermsContextInput,
    "terms_context_answer": inputs.TermsContextAnswerInput,
    "terms_question": inputs.TermsQuestionInput,
    "question": inputs.QuestionInput,
    "context": inputs.ContextInput,
    "context_answer": inputs.ContextAnswerInput,
    "answer": inputs.AnswerInput,
}


@dataclass(frozen=True, slots=True)
class RevisionFacts:
    """All that any revision template may be given; each takes the fields that it has placeholders for."""

    variant: Conversation
    left: Conversation
    right: Conversation
    domains: dict[str, Any]
    strategy: dict[str, str]
    included_terms: list[str]
    missing_terms: list[str]
    matching_rules: dict[str, str]
    question_type: str | None
    context_present: str | None
    context_missing: str | None
    answer_fault: str | None


@dataclass(frozen=True, slots=True)
class Revised:
    """The revised variant and the calls that it took."""

    turns: Conversation
    calls: list[CallTrace]


async def revise(
    template: RevisionTemplate,
    facts: RevisionFacts,
    model: Model,
    *,
    temperature: float = TEMPERATURE,
    attempt: int = 1,
) -> Revised:
    """Write the variant anew by one template; `answer` gives only an answer, so the user part is frozen."""
    kind = INPUTS[template]
    given = kind(**{field.name: getattr(facts, field.name) for field in fields(kind)})
    if template == "answer":
        answered = await ask(model, given, Answer, temperature=temperature, attempt=attempt)
        return Revised(with_last_answer(facts.variant, answered.reply.answer), answered.calls)
    merged = await ask(model, given, MergedVariant, temperature=temperature, attempt=attempt)
    return Revised(turns_of(merged.reply.exchanges), merged.calls)
