"""Merged corpus generation (MCG, Fig. 12): three variants of one merged corpus, one per strategy."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..prompts.inputs import MergedCorpusInput
from ..records.conversation import Conversation
from ..records.vocabulary import TEMPERATURE
from .ask import Asked, Model, ask
from .replies import MergedCorpora


async def merge_corpora(
    left: Conversation,
    right: Conversation,
    domains: dict[str, Any],
    strategies: Sequence[dict[str, str]],
    model: Model,
    *,
    temperature: float = TEMPERATURE,
    attempt: int = 1,
) -> Asked[MergedCorpora]:
    """Merge two corpora three times; variant i of the reply follows strategy i.

    `domains` is the domain report as JSON, `strategies` three of `{"name", "definition"}`.
    """
    given = MergedCorpusInput(left=left, right=right, domains=domains, strategies=strategies)
    return await ask(model, given, MergedCorpora, temperature=temperature, attempt=attempt)
