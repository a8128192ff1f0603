"""What entp list shows of a run."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import islice

from pydantic import BaseModel

from ...checkpoints.store import RunStore
from ...records.stored import Stored


class Unrated(Stored):
    """A row without a usable rating."""

    row_id: str
    rater: str
    reason: str | None
    raw: str | None


class ListedPair(Stored):
    """A pair in a line."""

    id: str
    kind: str
    cluster: int | None
    depth: int
    left: str
    right: str


class ListedFusion(Stored):
    """A fusion in a line."""

    id: str
    status: str
    carried: str | None
    missing: list[str]
    reason: str | None


def _unrated(store: RunStore) -> Iterator[BaseModel]:
    for failed in store.ratings.failures():
        yield Unrated(row_id=failed.row_id, rater=failed.rater, reason=failed.reason, raw=failed.raw)


def _pairs(store: RunStore) -> Iterator[BaseModel]:
    for pair in store.pairs.all():
        left, right = (f"{side.kind} {side.id}" for side in pair.operands)
        yield ListedPair(
            id=pair.id, kind=pair.kind, cluster=pair.cluster, depth=pair.depth, left=left, right=right
        )


def _fusions(store: RunStore) -> Iterator[BaseModel]:
    for fusion in store.fusions.all():
        yield ListedFusion(
            id=fusion.id,
            status=fusion.status,
            carried=fusion.carried,
            missing=fusion.missing,
            reason=fusion.reason,
        )


def _members(store: RunStore) -> Iterator[BaseModel]:
    for found in store.data_sets.names():
        yield from store.data_sets.members(found.name)


LISTINGS: dict[str, Callable[[RunStore], Iterator[BaseModel]]] = {
    "rows": lambda store: store.rows.listed(),
    "rejected": lambda store: store.rejected.all(),
    "unrated": _unrated,
    "audits": lambda store: store.audits.listed(),
    "clusters": lambda store: store.clusters.all(),
    "pairs": _pairs,
    "fusions": _fusions,
    "fused": lambda store: store.fused_rows.listed(),
    "forks": lambda store: store.forks.listed(),
    "sets": lambda store: iter(store.data_sets.names()),
    "members": _members,
}


def listing(store: RunStore, kind: str, limit: int | None = None) -> list[BaseModel]:
    """The entries of one kind, or the first `limit`."""
    return list(islice(LISTINGS[kind](store), limit))
