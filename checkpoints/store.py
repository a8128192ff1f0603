"""The interface of a run's store: the tables of `tables.py`, and what concerns all of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from types import TracebackType
from typing import Literal, Protocol, Self, TypeAlias

from ..records.embeddings import Embedded
from ..records.listings import Orphan
from ..records.pairs import ClusterMember
from ..records.rows import RejectedRow
from ..records.stored import JsonObject
from .tables import (
    Audits,
    DataSets,
    Exports,
    Forks,
    FusedRows,
    Fusions,
    Marks,
    Pairs,
    Ratings,
    Rows,
    Scores,
    Table,
    Tasks,
)

TableName: TypeAlias = Literal[
    "rows",
    "rejected_rows",
    "ratings",
    "audits",
    "embedded",
    "scores",
    "clusters",
    "pairs",
    "fusions",
    "fused_rows",
    "lineage",
    "datasets",
    "exports",
]


class RunStore(Protocol):
    """The tables of one run."""

    place: str
    """Where it is, for messages."""
    run_id: str
    """A name of this run that no other run has, wherever its folder goes."""
    rows: Rows
    rejected: Table[RejectedRow]
    ratings: Ratings
    audits: Audits
    embedded: Table[Embedded]
    scores: Scores
    clusters: Table[ClusterMember]
    pairs: Pairs
    tasks: Tasks
    fusions: Fusions
    fused_rows: FusedRows
    forks: Forks
    data_sets: DataSets
    exports: Exports
    marks: Marks

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def close(self) -> None:
        """Let go of it; the store is of no use afterwards."""

    def transaction(self) -> AbstractContextManager[None]:
        """Everything inside is kept at the end, or nothing is. May not be nested."""

    def settings(self) -> JsonObject:
        """The settings stored with the run, by name."""

    def set_settings(self, settings: JsonObject) -> None:
        """Store the settings of the run as a whole."""

    def code(self) -> JsonObject:
        """What was stored of the code that last asked a model for the run; empty where nothing was."""

    def set_code(self, code: JsonObject) -> None:
        """Store which code asks a model for the run."""

    def digest(self, tables: Sequence[TableName]) -> str:
        """One hash of everything that these tables hold, every column of every record."""

    def problems(self) -> Iterator[str]:
        """What is wrong with the store itself, a line each: damage, or an entry that cannot be read."""

    def orphans(self, tables: Sequence[TableName]) -> Iterator[Orphan]:
        """Entries of these tables that point to what is not there."""
