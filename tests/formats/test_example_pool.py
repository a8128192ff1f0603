"""The pool that the project ships for trying it out."""

from collections import Counter
from pathlib import Path

import pytest

from entp.formats.pool import open_pool, read_pool
from entp.records.rows import Row

EXAMPLES = Path(__file__).parents[2] / "examples"
POOL = EXAMPLES / "pool.jsonl"
RATERS = ["gpt-4o-mini", "llama-3.1-8b-instruct", "mistral-7b-v0.3-instruct"]


@pytest.fixture(scope="module")
def rows():
    return list(read_pool([POOL]))


def test_every_record_is_a_row(rows):
    assert len(rows) == 1200
    assert all(isinstance(row, Row) for row in rows)


def test_the_file_is_small_and_its_shape_is_known():
    pool = open_pool(POOL)
    assert (pool.format, pool.shape) == ("jsonl", "messages")
    assert pool.bytes < 2_000_000


def test_where_the_rows_come_from(rows):
    sources = {"dolly": 1188, "oasst1": 4, "flan_v2/niv2": 4, "flan_v2/cot": 4}
    assert Counter(row.source for row in rows) == sources
    licences = (EXAMPLES / "LICENSES.md").read_text(encoding="utf-8")
    for source, count in sources.items():
        assert f"| `{source}` | {count:,} |" in licences


def test_which_rows_are_rated(rows):
    for row in rows:
        assert list(row.ratings) == (RATERS if row.source == "dolly" else [])
        assert all(0 <= rating <= 5 for rating in row.ratings.values())


def test_the_ratings_are_those_that_the_licences_page_counts(rows):
    licences = (EXAMPLES / "LICENSES.md").read_text(encoding="utf-8")
    for rater in RATERS:
        counts = Counter(row.ratings[rater] for row in rows if row.ratings)
        assert f"| {rater} | {' | '.join(str(counts[score]) for score in range(6))} |" in licences


def test_some_rows_have_several_turns(rows):
    assert sum(len(row.turns) > 2 for row in rows) == 2
