"""What every run store does, whatever it keeps its records in: the pool and what is known of it."""

from __future__ import annotations

from entp.records.listings import ScoredRow
from entp.records.ratings import RatingTally
from made_records import (
    ids,
    rating,
    score,
)


def test_the_pool_in_order(pool):
    rows = list(pool.rows.all())
    assert pool.rows.contents() == [found.content for found in rows]
    assert list(pool.rows.between(1, 2)) == rows[1:3]
    assert pool.rows.turns_of(["b", "c", "gone"]) == {"b": rows[2].turns, "c": rows[0].turns}


def test_the_raters_of_a_pool(pool):
    assert pool.rows.raters() == ['a "quoted" rater', "gpt", "other"]
    assert pool.rows.range_of("gpt") == (3, 7)
    assert pool.rows.range_of('a "quoted" rater') == (2, 2)
    assert pool.rows.range_of("nobody") is None
    assert pool.rows.lacking("gpt") == 2
    assert pool.rows.lacking('a "quoted" rater') == 3
    assert pool.rows.lacking("nobody") == 4


def test_rows_by_what_is_known_of_them(pool):
    pool.ratings.put([rating("c", 3), rating("a", None), rating("b", 5, rater="other"), rating("gone", 1)])
    assert ids(pool.rows.unrated()) == ["d"]
    assert ids(pool.rows.rated_by("fake")) == ["c"]
    assert [(found.id, given) for found, given in pool.rows.scored()] == [("b", 5), ("c", 3)]


def test_rows_as_a_listing_shows_them(pool):
    pool.scores.put([score("a", 4, quality="HQ", content_class="math")])
    listed = [tuple(found.model_dump().values()) for found in pool.rows.listed()]
    assert listed == [
        ("c", "x", None, None, None, None),
        ("a", "y", 2, 4, "HQ", "math"),
        ("b", "y", None, None, None, None),
        ("d", "z", None, None, None, None),
    ]
    assert ids(pool.rows.listed(2)) == ["c", "a"]


def test_ratings_by_where_they_came_from(pool):
    pool.ratings.replace(
        [
            rating("a", 3, rater="gpt", origin="pool"),
            rating("b", 3),
            rating("c", None, raw="{"),
            rating("d", 0),
            rating("gone", 5),
        ]
    )
    tally = pool.ratings.tally()
    assert tally == RatingTally(from_pool=1, from_model=3, unrated=1, scores={0: 1, 3: 2, 5: 1})
    assert list(tally.scores) == [0, 3, 5]
    assert [found.row_id for found in pool.ratings.failures()] == ["c"]
    assert pool.ratings.raters() == ["fake", "gpt"]
    assert pool.ratings.by_rater() == {("fake", True): 2, ("fake", False): 1}


def test_second_ratings_beside_the_first(pool):
    pool.ratings.replace([rating("a", 3), rating("b", 1), rating("c", None)])
    pool.audits.replace([rating("b", 2), rating("a", 4), rating("c", 1), rating("d", None)])
    assert pool.audits.beside_first() == [(3, 4), (1, 2)]
    listed = [tuple(found.model_dump().values()) for found in pool.audits.listed()]
    assert listed == [
        ("a", "fake", 3, 4, None),
        ("b", "fake", 1, 2, None),
        ("c", "fake", None, 1, None),
        ("d", "fake", None, None, "ModelError: no"),
    ]
    assert [found.row_id for found in pool.audits.listed(1)] == ["a"]
    assert pool.audits.tally().unrated == 1


def test_rows_of_a_quality(pool):
    pool.scores.replace([score("a", 1), score("b", 5, quality="HQ"), score("c", 2, content_class="code")])
    assert list(pool.scores.of_quality("LQ")) == [ScoredRow("c", 0, "code"), ScoredRow("a", 1, None)]
    assert list(pool.scores.of_quality("HQ")) == [ScoredRow("b", 2, None)]
