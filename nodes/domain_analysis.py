"""Domain analysis (DA, Fig. 9): what both corpora are about and how they relate."""

from __future__ import annotations

from ..prompts.inputs import DomainAnalysisInput
from ..records.conversation import Conversation
from ..records.vocabulary import DOMAIN_TEMPERATURE
from .ask import Asked, Model, ask
from .replies import DomainReport


async def analyse_domains(
    left: Conversation, right: Conversation, model: Model, *, temperature: float = DOMAIN_TEMPERATURE
) -> Asked[DomainReport]:
    """Name each corpus's domain, key terms and matching rule, and the relationship between the two."""
    return await ask(
        model, DomainAnalysisInput(left=left, right=right), DomainReport, temperature=temperature
    )
