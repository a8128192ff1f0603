"""What is at hand of a pair's operands: rows as they are, earlier fusions as they are carried on."""

from __future__ import annotations

from ...checkpoints.store import RunStore
from ...records.pairs import Operand
from ...records.work import Side

_GONE = Side((), (), ())


def side_of(store: RunStore, operand: Operand) -> Side:
    """The text of an operand, the rows of the pool that it was made from, and what is missing below it.

    A fusion without a fused row is folded past: where one of its operands had nothing left, the other one
    stands in its place; where both were there and could not be fused, nothing does, and it is missing.
    """
    if operand.kind == "row":
        row = store.rows.get(operand.id)
        return Side(row.turns, (row.id,), ()) if row else _GONE
    fusion = store.fusions.get(operand.id)
    if fusion and fusion.carried and (carried := store.fused_rows.get(fusion.carried)):
        sources = store.fused_rows.sources_of(carried.id)
        return Side(carried.turns, tuple(sources), tuple(fusion.missing))
    return _past(store, operand.id)


def _past(store: RunStore, fusion_id: str) -> Side:
    """What a fold goes on with where a fusion has no fused row."""
    pair = store.pairs.get(fusion_id)
    if pair is None:
        return Side((), (), (fusion_id,))
    left, right = (side_of(store, operand) for operand in pair.operands)
    missing = tuple(dict.fromkeys((*left.missing, *right.missing)))
    if left.turns and right.turns:
        return Side((), (), (*missing, fusion_id))
    there = left if left.turns else right
    return Side(there.turns, there.sources, missing)
