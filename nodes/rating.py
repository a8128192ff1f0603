"""Rating (Fig. 5): one row's quality on four criteria."""

from __future__ import annotations

from ..prompts.inputs import RatingAgainInput, RatingDs2Input, RatingInput
from ..records.conversation import Conversation
from ..records.vocabulary import Rubric
from .ask import Asked, Model, ask
from .replies import Rating, SecondRating

# above zero by far, so that a second rating is a draw of its own
AUDIT_TEMPERATURE = 0.7


async def rate_row(turns: Conversation, model: Model, *, rubric: Rubric = "levels") -> Asked[Rating]:
    """Rate a row for rarity, complexity, informativeness and overall quality, each 1-10."""
    given = (RatingDs2Input if rubric == "ds2" else RatingInput)(conversation=turns)
    return await ask(model, given, Rating)


async def rate_row_again(turns: Conversation, model: Model) -> Asked[SecondRating]:
    """Rate a row a second time, as independently of the first as one model can: an audit."""
    given = RatingAgainInput(conversation=turns)
    return await ask(model, given, SecondRating, temperature=AUDIT_TEMPERATURE)
