"""Revision: a variant written again by the template that the prompt optimizer has chosen (Fig. 14-24).

In Cycle 1 nine templates revise the merge; in Cycle 2 two update the last answer (FAU) and nothing else.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

from ..records.calls import CallTrace
from ..records.conversation import Conversation
from ..records.vocabulary import TEMPERATURE
from .ask import Model, ask
from .replies import PlannedVariant
from .templates import Writer


@dataclass(frozen=True, slots=True)
class RevisionFacts:
    """All that a template of Cycle 1 may be given; each takes the fields that it has placeholders for."""

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
class UpdateFacts:
    """Likewise for Cycle 2, where only the last answer is written again."""

    variant: Conversation
    answer_fault: str | None
    direct_answer: str
    information_to_remove: str


@dataclass(frozen=True, slots=True)
class Revised:
    """The revised variant, what was planned for it where it is merged from the raw pair, and its calls."""

    turns: Conversation
    plan: str
    calls: list[CallTrace]


async def revise(
    template: Writer,
    facts: RevisionFacts | UpdateFacts,
    model: Model,
    *,
    temperature: float = TEMPERATURE,
    attempt: int = 1,
) -> Revised:
    """Write the variant again by one template, which is given the facts that it has placeholders for."""
    given = template.given(**{field.name: getattr(facts, field.name) for field in fields(template.given)})
    asked = await ask(model, given, template.reply, temperature=temperature, attempt=attempt)
    plan = asked.reply.plan if isinstance(asked.reply, PlannedVariant) else ""
    return Revised(asked.reply.applied_to(facts.variant), plan, asked.calls)
