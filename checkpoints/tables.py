"""The groups of tables of a run's store, as interfaces over typed records. No implementation is named here.

A table keeps its records by a key and gives them in an order of its own. What it yields while it is read may
or may not include what is written meanwhile, so finish reading before you write to the same table. Every
method raises RunFolderError where the store cannot be read or written, or contains data that ENTP did not
write.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Protocol, TypeVar

from ..records.conversation import Conversation
from ..records.datasets import Candidate, DataSetRow, Member
from ..records.fusions import Ended, Fork, FusedRow, Fusion, Standing
from ..records.listings import (
    FusionTotals,
    ListedAudit,
    ListedDataSet,
    ListedFork,
    ListedFusedRow,
    ListedRow,
    MadeAlike,
    ScoredRow,
)
from ..records.pairs import Operand, Pair
from ..records.ratings import RatingTally, RowRating, Score
from ..records.rows import StoredRow
from ..records.stages import StageMark
from ..records.vocabulary import Quality
from ..records.work import Task

R = TypeVar("R")


class Table(Protocol[R]):
    """Records by key. `key` is the id of what they are about."""

    def all(self, limit: int | None = None) -> Iterator[R]:
        """Every record, or the first `limit`, in the table's order."""

    def get(self, key: str) -> R | None:
        """The record of a key, or None."""

    def count(self) -> int:
        """How many records there are."""

    def replace(self, records: Iterable[R]) -> None:
        """Empty the table and fill it with these, which are read once; all or nothing."""

    def put(self, records: Iterable[R]) -> None:
        """Add records, in place of those with the same key."""

    def remove(self, keys: Iterable[str]) -> None:
        """Take away the records of these keys; unknown ones are passed over."""


class Rows(Table[StoredRow], Protocol):
    """The pool, in the order of `position`."""

    def contents(self) -> list[str]:
        """The hash of every row's text, in order."""

    def between(self, first: int, last: int) -> Iterator[StoredRow]:
        """The rows from one position to another, both included."""

    def turns_of(self, ids: Iterable[str]) -> dict[str, Conversation]:
        """What is said in these rows, by id."""

    def raters(self) -> list[str]:
        """The raters whose ratings the pool brings, by name."""

    def range_of(self, rater: str) -> tuple[int, int] | None:
        """The least and the greatest rating that a rater of the pool gave; None where it gave none."""

    def lacking(self, rater: str) -> int:
        """How many rows the pool brings no rating of this rater for."""

    def unrated(self) -> Iterator[StoredRow]:
        """The rows without an entry in `ratings`."""

    def rated_by(self, rater: str) -> Iterator[StoredRow]:
        """The rows to which a rater gave a usable rating."""

    def scored(self) -> Iterator[tuple[StoredRow, int]]:
        """The rows with a usable rating and its score, by id: the order of the pool must not matter."""

    def listed(self, limit: int | None = None) -> Iterator[ListedRow]:
        """The rows as a listing shows them."""


class Ratings(Table[RowRating], Protocol):
    """First or second ratings, by row id."""

    def tally(self) -> RatingTally:
        """How many came from where."""

    def failures(self) -> Iterator[RowRating]:
        """Those that cannot be used."""

    def raters(self) -> list[str]:
        """Who rated, by name."""

    def by_rater(self) -> dict[tuple[str, bool], int]:
        """How many of the present rows each model has rated: (rater, whether the rating can be used)."""


class Audits(Ratings, Protocol):
    """Second ratings of some rows."""

    def beside_first(self) -> list[tuple[int, int]]:
        """First and second score of the rows that have both, by row id."""

    def listed(self, limit: int | None = None) -> Iterator[ListedAudit]:
        """Both scores of every row that was rated twice."""


class Scores(Table[Score], Protocol):
    """Scores by row id."""

    def of_quality(self, quality: Quality) -> Iterator[ScoredRow]:
        """The rows of one quality, in the order of the pool."""


class Pairs(Table[Pair], Protocol):
    """The plan, in order."""

    def with_lengths(self) -> Iterator[tuple[Pair, int]]:
        """Every pair with the number of characters of those of its operands that are rows, as JSON."""

    def using(self, operand: Operand) -> list[Pair]:
        """The pairs that take a row or a fusion as an operand."""


class Tasks(Protocol):
    """The pairs that are still to be fused in this run of the stage: the queue that workers claim from."""

    def refill(self, tasks: Iterable[Task]) -> None:
        """Begin a run of the stage: drop what is left of the one before."""

    def claim(self, holder: str, limit: int, *, now_s: float, until_s: float) -> list[Task]:
        """Claim up to `limit` tasks for a worker until a time, in order; one transaction.

        Taken are those that nobody holds (or held until before now) and whose operands are at hand: rows, or
        fusions that are not themselves among the tasks.
        """

    def renew(self, holder: str, *, until_s: float) -> None:
        """Let a worker's claims end later."""

    def release(self, holder: str) -> None:
        """Give a worker's claims back."""

    def settle(self, pair_id: str) -> None:
        """Take a task out because its fusion is there already."""

    def count(self) -> int:
        """How many are left, claimed ones included."""


class Fusions(Table[Fusion], Protocol):
    """Fusions by id, each with its variants."""

    def finish(self, ended: Ended) -> None:
        """Keep how a pair ended, in place of what was there of it, and take its task out; one transaction."""

    def standing(self, key: str) -> Standing | None:
        """What decides whether a fusion is kept; None where there is none."""

    def failed(self) -> dict[str, int]:
        """The fusions that failed, or of which a variant did: how often their operators have begun."""

    def drop_unplanned(self) -> int:
        """Remove the fusions of pairs that are no longer planned; how many there were."""

    def ids(self) -> list[str]:
        """Every fusion's id, in order."""

    def failure_reasons(self) -> list[str]:
        """Why fusions failed as a whole, by id."""

    def made_alike(self, ids: Iterable[str]) -> list[MadeAlike]:
        """The fusions among `ids`, counted by how they were made."""

    def totals(self, latest: int) -> FusionTotals:
        """What the latest so many finished fusions took together."""


class FusedRows(Table[FusedRow], Protocol):
    """Variants by id, which is their fusion's and a number."""

    def of(self, fusion_id: str) -> list[FusedRow]:
        """The variants of a fusion, in order."""

    def losses(self) -> dict[int, int]:
        """How many fused rows have each loss, the least first."""

    def failure_reasons(self) -> list[str]:
        """Why variants failed, by id."""

    def overrides(self) -> int:
        """How often a symbolic check overruled the model's word, in all attempts."""

    def sources_of(self, key: str) -> list[str]:
        """The rows of the pool that a fused row was made from, by id."""

    def made_from(self, row_id: str) -> list[ListedFusedRow]:
        """The fused rows that a row of the pool went into, by id."""

    def candidates(self) -> Iterator[Candidate]:
        """The fused rows that a data set may take, in the order of the plan.

        `carried_by` names the later fusion that took a row up, where that fusion has a fused row itself.
        """

    def listed(self, limit: int | None = None) -> Iterator[ListedFusedRow]:
        """The fused rows as a listing shows them."""


class Forks(Table[Fork], Protocol):
    """Forks by id, the oldest first."""

    def of(self, fusion_id: str) -> list[ListedFork]:
        """The forks of a fusion."""

    def listed(self, limit: int | None = None) -> Iterator[ListedFork]:
        """The forks as a listing shows them."""


class DataSets(Protocol):
    """Data sets by name."""

    def replace(self, name: str, members: Iterable[Member]) -> None:
        """Make a data set what these say, in place of what it was."""

    def retain(self, names: Sequence[str], made_by: str) -> None:
        """Drop the data sets that this command has made, except these."""

    def names(self) -> list[ListedDataSet]:
        """The data sets that there are, by name."""

    def members(self, name: str, limit: int | None = None) -> Iterator[Member]:
        """The members of a data set, in order."""

    def rows(self, name: str) -> Iterator[DataSetRow]:
        """The rows of a data set with their text, in order; a member that is gone is left out."""

    def holding(self, key: str) -> list[str]:
        """The names of the data sets that hold a row."""

    def count(self, name: str) -> int:
        """How many rows a data set has."""


class Exports(Protocol):
    """The files that this run has written, and may write again."""

    def add(self, path: str) -> None:
        """Note a file as this run's."""

    def remove(self, path: str) -> None:
        """Forget it."""

    def has(self, path: str) -> bool:
        """Whether it is this run's."""


class Marks(Protocol):
    """The marks of finished stages, by name."""

    def get(self, name: str) -> StageMark | None:
        """The mark of a stage, or None where it has not finished."""

    def put(self, mark: StageMark) -> StageMark:
        """Keep a mark, with the time; give it as it is kept."""

    def remove(self, name: str) -> None:
        """Take a mark away, before the stage's tables change."""
