"""Rating (Fig. 5): one row's quality on four criteria."""

from __future__ import annotations

from ..prompts.inputs import RatingInput
from ..records.conversation import Conversation
from .ask import Asked, Model, ask
from .replies import Rating


async def rate_row(turns: Conversation, model: Model, *, attempt: int = 1) -> Asked[Rating]:
    """Rate a row for rarity, complexity, informativeness and overall quality, each 1-10."""
    return await ask(model, RatingInput(conversation=turns), Rating, attempt=attempt)
