"""Ratings, scores and vectors in run.db: what is known of each row."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from ...records.embeddings import Embedded
from ...records.listings import ListedAudit, ScoredRow
from ...records.ratings import RatingTally, RowRating, Score
from ...records.vocabulary import Quality
from .run_file import Reader, RunFile
from .table import SqliteTable, most


class RatingsTable(SqliteTable[RowRating]):
    """`ratings` or `audits`: first or second ratings, by row id."""

    def __init__(self, file: RunFile, name: str = "ratings") -> None:
        super().__init__(file, name, RowRating, key=("row_id",), order="row_id")

    def tally(self) -> RatingTally:
        """How many came from where."""
        usable = f"SELECT count(*) FROM {self._name} WHERE score IS NOT NULL AND origin = ?"
        scores = (
            f"SELECT score, count(*) FROM {self._name} WHERE score IS NOT NULL GROUP BY score ORDER BY score"
        )
        return RatingTally(
            from_pool=self._file.number(usable, "pool"),
            from_model=self._file.number(usable, "model"),
            unrated=self._file.number(f"SELECT count(*) FROM {self._name} WHERE score IS NULL"),
            scores={score: number for score, number in self._file.read(scores)},
        )

    def failures(self) -> Iterator[RowRating]:
        """Those that cannot be used."""
        return self.reader.read(f"{self._select} WHERE score IS NULL ORDER BY row_id")

    def raters(self) -> list[str]:
        """Who rated, by name."""
        return self._file.names(f"SELECT DISTINCT rater FROM {self._name} ORDER BY rater")

    def by_rater(self) -> dict[tuple[str, bool], int]:
        """How many of the present rows each model has rated: (rater, whether the rating can be used)."""
        sql = (
            f"SELECT rater, score IS NOT NULL, count(*) FROM {self._name} WHERE origin = 'model' "
            "AND row_id IN (SELECT id FROM rows) GROUP BY 1, 2 ORDER BY 1, 2"
        )
        found = self._file.read(sql)
        return {(self._file.text(rater), bool(usable)): number for rater, usable, number in found}


class _Twice(NamedTuple):
    """Both scores of a row."""

    row_id: str
    first: int
    second: int


class AuditsTable(RatingsTable):
    """`audits`: second ratings of some rows."""

    def __init__(self, file: RunFile) -> None:
        super().__init__(file, "audits")
        self._twice = Reader(file, _Twice, "audits", ("row_id",))
        self._listed = Reader(file, ListedAudit, "audits", ("row_id",))

    def beside_first(self) -> list[tuple[int, int]]:
        """First and second score of the rows that have both, by row id."""
        sql = (
            "SELECT row_id, ratings.score, audits.score FROM audits JOIN ratings USING (row_id) "
            "WHERE audits.score IS NOT NULL AND ratings.score IS NOT NULL ORDER BY row_id"
        )
        return [(first, second) for _, first, second in self._twice.read(sql)]

    def listed(self, limit: int | None = None) -> Iterator[ListedAudit]:
        """Both scores of every row that was rated twice."""
        sql = (
            "SELECT audits.row_id, audits.rater, ratings.score, audits.score, audits.reason FROM audits "
            "LEFT JOIN ratings USING (row_id) ORDER BY audits.row_id LIMIT ?"
        )
        return self._listed.read(sql, most(limit))


class ScoresTable(SqliteTable[Score]):
    """`scores` by row id."""

    def __init__(self, file: RunFile) -> None:
        super().__init__(file, "scores", Score, key=("row_id",), order="row_id")
        self._placed = Reader(file, ScoredRow, "scores", ("row_id",))

    def of_quality(self, quality: Quality) -> Iterator[ScoredRow]:
        """The rows of one quality, in the order of the pool."""
        sql = (
            "SELECT row_id, position, content_class FROM rows JOIN scores ON row_id = id "
            "WHERE quality = ? ORDER BY position"
        )
        return self._placed.read(sql, quality)


def embedded(file: RunFile) -> SqliteTable[Embedded]:
    """`embedded`: the lines of the file of vectors, in order."""
    return SqliteTable(file, "embedded", Embedded, key=("position",), order="position")
