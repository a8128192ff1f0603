"""Clusters of low-quality rows, and the pairs that are to be fused (Section 3.2, Algorithm 1)."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from .stored import Stored
from .vocabulary import PairKind


class ClusterMember(Stored):
    """A low-quality row in its cluster. `rank`: its place among the representatives; None for others."""

    row_id: str
    cluster: int
    role: Literal["centre", "member"]
    rank: int | None = None


class Operand(Stored):
    """One side of a pair: a row of the pool, or what an earlier fusion carries on."""

    kind: Literal["row", "fusion"]
    id: str


class Pair(Stored):
    """A fusion to run. Its id, a hash of kind and operands, is also that of the fusion.

    `depth` is the number of fusions on the longest way from a row to this one's result: 1 where both operands
    are rows. `cluster` is None for inter pairs.
    """

    id: str
    position: int = Field(description="place in the plan; operands stand before what uses them")
    kind: PairKind
    cluster: int | None
    depth: int
    left: Operand
    right: Operand

    @property
    def operands(self) -> tuple[Operand, Operand]:
        """Both sides."""
        return self.left, self.right
