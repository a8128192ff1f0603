"""What a rater said of a row, and what is made of it."""

from __future__ import annotations

from typing import Literal, NamedTuple

from pydantic import Field

from .stored import Stored
from .vocabulary import ContentClass, Quality


class RowRating(Stored):
    """One rating of a row, or why there is none: then `score` is None and `reason` says why."""

    row_id: str
    rater: str
    origin: Literal["pool", "model"] = "model"
    rating: int | None = Field(default=None, description="1-10; None where the pool brings scores")
    score: int | None = Field(default=None, description="0-5; None where there is no usable rating")
    criteria: dict[str, int] = {}
    reason: str | None = None
    raw: str | None = Field(default=None, description="the reply that could not be used")
    tries: int = Field(default=1, description="how often the operator has begun; raised by --retry-failed")


class RatingTally(NamedTuple):
    """How many ratings came from where; `scores` counts the rows of each score."""

    from_pool: int
    from_model: int
    unrated: int
    scores: dict[int, int]

    @property
    def rated(self) -> int:
        """Ratings that can be used."""
        return self.from_pool + self.from_model


class Score(Stored):
    """The score of a row, as rated and as corrected (Sections 3.1 and C.1), and the class of its content."""

    row_id: str
    score: int = Field(description="0-5, as rated")
    corrected: int = Field(description="0-5")
    confidence: float | None = Field(description="probability of the corrected score; None: kept as rated")
    quality: Quality
    content_class: ContentClass | None
