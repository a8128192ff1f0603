"""A unit of work: a pair whose operands are at hand, as a worker is given it."""

from __future__ import annotations

from typing import NamedTuple

from pydantic import Field

from .conversation import Conversation
from .pairs import Pair
from .stored import Stored


class Task(Stored):
    """A pair still to be fused in this run of the stage. `tries`: how often its operators may begin."""

    pair_id: str
    position: int
    tries: int = 1
    holder: str | None = Field(default=None, description="the worker that has claimed it")
    until_s: float | None = Field(default=None, description="when the claim ends, seconds since 1970")


class Side(NamedTuple):
    """One operand as it is at hand: its text, the pool rows it was made from, and failed fusions below it.

    `turns` is empty where nothing is left of it.
    """

    turns: Conversation
    sources: tuple[str, ...]
    missing: tuple[str, ...]


class Claim(NamedTuple):
    """Everything that a worker needs of one pair: plain values, so that they can be sent."""

    pair: Pair
    tries: int
    left: Side
    right: Side
