"""Final answer check (FAC, Fig. 11): is the last answer direct, and does all of it belong there."""

from __future__ import annotations

from ..prompts.inputs import FinalAnswerCheckInput
from ..records.conversation import Conversation
from ..records.vocabulary import TEMPERATURE
from .ask import Asked, Model, ask
from .replies import AnswerCheck


async def check_final_answer(
    variant: Conversation, model: Model, *, temperature: float = TEMPERATURE, attempt: int = 1
) -> Asked[AnswerCheck]:
    """Judge the last assistant part only: its direct answer, and what should be removed from it."""
    given = FinalAnswerCheckInput(variant=variant)
    return await ask(model, given, AnswerCheck, temperature=temperature, attempt=attempt)
