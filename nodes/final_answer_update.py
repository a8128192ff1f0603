"""Final answer update (FAU, Fig. 14 and 15): the last assistant part written anew; the rest is frozen."""

from __future__ import annotations

from ..prompts.inputs import MissingAnswerInput, RedundantInput
from ..records.conversation import Conversation
from .ask import TEMPERATURE, Asked, Model, ask
from .replies import Answer


async def give_missing_answer(
    variant: Conversation, model: Model, *, temperature: float = TEMPERATURE, attempt: int = 1
) -> Asked[Answer]:
    """Answer the final question concisely and directly (Fig. 14)."""
    given = MissingAnswerInput(variant=variant)
    return await ask(model, given, Answer, temperature=temperature, attempt=attempt)


async def remove_redundancy(
    variant: Conversation,
    direct_answer: str,
    information_to_remove: str,
    model: Model,
    *,
    temperature: float = TEMPERATURE,
    attempt: int = 1,
) -> Asked[Answer]:
    """Keep the direct answer and leave out what does not belong (Fig. 15)."""
    given = RedundantInput(
        variant=variant, direct_answer=direct_answer, information_to_remove=information_to_remove
    )
    return await ask(model, given, Answer, temperature=temperature, attempt=attempt)
