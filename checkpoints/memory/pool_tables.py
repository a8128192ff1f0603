"""The pool in memory, and what is known of each row."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import islice

from ...records.conversation import Conversation
from ...records.listings import ListedAudit, ListedRow, ScoredRow
from ...records.ratings import RatingTally, RowRating, Score
from ...records.rows import StoredRow
from ...records.vocabulary import Quality
from .table import Access, MemoryTable


class MemoryRatings(MemoryTable[RowRating]):
    """First or second ratings, by row id."""

    def __init__(self, access: Access, name: str, rows: MemoryTable[StoredRow]) -> None:
        super().__init__(access, name, key=_row_id, order=_row_id)
        self._rows = rows

    def usable(self) -> dict[str, int]:
        """The scores that there are, by row id."""
        return {rating.row_id: rating.score for rating in self.all() if rating.score is not None}

    def tally(self) -> RatingTally:
        """How many came from where."""
        usable = [rating for rating in self.all() if rating.score is not None]
        origins = Counter(rating.origin for rating in usable)
        scores = Counter(sorted(self.usable().values()))
        unrated = self.count() - len(usable)
        return RatingTally(origins["pool"], origins["model"], unrated, dict(scores))

    def failures(self) -> Iterator[RowRating]:
        """Those that cannot be used."""
        return (rating for rating in self.all() if rating.score is None)

    def raters(self) -> list[str]:
        """Who rated, by name."""
        return sorted({rating.rater for rating in self.all()})

    def by_rater(self) -> dict[tuple[str, bool], int]:
        """How many of the present rows each model has rated: (rater, whether the rating can be used)."""
        found = Counter(
            (rating.rater, rating.score is not None)
            for rating in self.all()
            if rating.origin == "model" and self._rows.get(rating.row_id)
        )
        return dict(sorted(found.items()))


class MemoryAudits(MemoryRatings):
    """Second ratings of some rows."""

    def __init__(self, access: Access, rows: MemoryTable[StoredRow], ratings: MemoryRatings) -> None:
        super().__init__(access, "audits", rows)
        self._ratings = ratings

    def beside_first(self) -> list[tuple[int, int]]:
        """First and second score of the rows that have both, by row id."""
        first = self._ratings.usable()
        return [(first[row_id], second) for row_id, second in self.usable().items() if row_id in first]

    def listed(self, limit: int | None = None) -> Iterator[ListedAudit]:
        """Both scores of every row that was rated twice."""
        for audit in self.all(limit):
            first = self._ratings.get(audit.row_id)
            yield ListedAudit(
                row_id=audit.row_id,
                rater=audit.rater,
                first=first.score if first else None,
                second=audit.score,
                reason=audit.reason,
            )


class MemoryScores(MemoryTable[Score]):
    """Scores by row id."""

    def __init__(self, access: Access, rows: MemoryTable[StoredRow]) -> None:
        super().__init__(access, "scores", key=_row_id, order=_row_id)
        self._rows = rows

    def of_quality(self, quality: Quality) -> Iterator[ScoredRow]:
        """The rows of one quality, in the order of the pool."""
        for row in self._rows.all():
            score = self.get(row.id)
            if score and score.quality == quality:
                yield ScoredRow(row.id, row.position, score.content_class)


class MemoryRows(MemoryTable[StoredRow]):
    """The pool, in the order of `position`."""

    def __init__(self, access: Access) -> None:
        super().__init__(access, "rows", key=lambda row: row.id, order=lambda row: row.position)
        self.ratings = MemoryRatings(access, "ratings", self)
        self.audits = MemoryAudits(access, self, self.ratings)
        self.scores = MemoryScores(access, self)

    def contents(self) -> list[str]:
        """The hash of every row's text, in order."""
        return [row.content for row in self.all()]

    def between(self, first: int, last: int) -> Iterator[StoredRow]:
        """The rows from one position to another, both included."""
        return (row for row in self.all() if first <= row.position <= last)

    def turns_of(self, ids: Iterable[str]) -> dict[str, Conversation]:
        """What is said in these rows, by id."""
        rows = (self.get(row_id) for row_id in ids)
        return {row.id: row.turns for row in rows if row}

    def raters(self) -> list[str]:
        """The raters whose ratings the pool brings, by name."""
        return sorted({rater for row in self.all() for rater in row.ratings})

    def range_of(self, rater: str) -> tuple[int, int] | None:
        """The least and the greatest rating that a rater of the pool gave; None where it gave none."""
        given = [row.ratings[rater] for row in self.all() if rater in row.ratings]
        return (min(given), max(given)) if given else None

    def lacking(self, rater: str) -> int:
        """How many rows the pool brings no rating of this rater for."""
        return sum(rater not in row.ratings for row in self.all())

    def unrated(self) -> Iterator[StoredRow]:
        """The rows without an entry in `ratings`."""
        return (row for row in self.all() if not self.ratings.get(row.id))

    def rated_by(self, rater: str) -> Iterator[StoredRow]:
        """The rows to which a rater gave a usable rating."""
        for row in self.all():
            rating = self.ratings.get(row.id)
            if rating and rating.rater == rater and rating.score is not None:
                yield row

    def scored(self) -> Iterator[tuple[StoredRow, int]]:
        """The rows with a usable rating and its score, by id: the order of the pool must not matter."""
        for row_id, score in self.ratings.usable().items():
            row = self.get(row_id)
            if row:
                yield row, score

    def listed(self, limit: int | None = None) -> Iterator[ListedRow]:
        """The rows as a listing shows them."""
        for row in islice(self.all(), limit):
            score = self.scores.get(row.id)
            yield ListedRow(
                id=row.id,
                source=row.source,
                score=score and score.score,
                corrected=score and score.corrected,
                quality=score and score.quality,
                content_class=score and score.content_class,
            )


def _row_id(record: RowRating | Score) -> str:
    return record.row_id
