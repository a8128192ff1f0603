"""Information completeness detection (ICD, Section C.3.1, Fig. 13): what a variant still lacks."""

from __future__ import annotations

from collections.abc import Sequence

from ..prompts.inputs import InformationCompletenessInput
from ..records.conversation import Conversation
from ..records.vocabulary import TEMPERATURE
from .ask import Asked, Model, ask
from .replies import CompletenessReport


async def detect_completeness(
    variant: Conversation,
    left_terms: Sequence[str],
    right_terms: Sequence[str],
    model: Model,
    *,
    temperature: float = TEMPERATURE,
    attempt: int = 1,
) -> Asked[CompletenessReport]:
    """Report term coverage per source, the final question and the final answer of a variant."""
    given = InformationCompletenessInput(variant=variant, left_terms=left_terms, right_terms=right_terms)
    return await ask(model, given, CompletenessReport, temperature=temperature, attempt=attempt)
