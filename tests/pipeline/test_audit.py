"""Second ratings of some rows: who is drawn, what is asked, what becomes of failures."""

from __future__ import annotations

import asyncio

import pytest

from entp.checkpoints.sqlite.migrations import Layout, open_database
from entp.checkpoints.sqlite.run_schema import RUN
from entp.pipeline.run.stage import run_stage
from entp.pipeline.stages.order import look_at_run, open_run, stage_named
from entp.pipeline.stages.rate import rows_to_rate
from entp.pipeline.views.status import status
from entp.records.errors import RunFolderError, UsageError
from tables import count, query


@pytest.fixture
def rate(tmp_path, settings):
    """Load and rate; gives the end of the stage and the audited rows' ids."""

    def work(folder="run", **changes):
        with open_run(tmp_path / folder, {**settings, **changes}, create=True) as run:
            for name in ("load", "rate"):
                end = asyncio.run(run_stage(run, stage_named(name)))
            rows = query(run.folder, "SELECT * FROM audits ORDER BY row_id")
            return end, {row["row_id"]: row for row in rows}

    return work


def test_so_many_rows_are_rated_twice(rate, model_server):
    end, audits = rate(rater="model", audit=5)
    assert model_server.calls.count("rating") == 20
    assert model_server.calls.count("rating_again") == 5
    assert len(audits) == 5
    assert all(row["score"] is not None and row["rater"] == "fake" for row in audits.values())
    books = end.mark.books
    assert (books.unit, books.inputs, books.outputs, books.balanced) == ("ratings", 25, 25, True)
    assert end.mark.findings["audit"]["audited"] == 5


def test_the_rows_are_drawn_by_id_and_seed(rate, pool, tmp_path):
    _, few = rate(rater="model", audit=4)
    _, more = rate("more", rater="model", audit=9)
    assert set(few) < set(more)
    lines = pool.read_text("utf-8").splitlines(keepends=True)
    pool.write_text("".join(reversed(lines)), "utf-8")
    _, shuffled = rate("shuffled", rater="model", audit=4)
    assert set(shuffled) == set(few)
    _, other = rate("other", rater="model", audit=4, seed=1)
    assert set(other) != set(few)


def test_every_call_is_in_the_ledger(rate, model_server):
    rate(rater="model", audit=6)
    calls = len(model_server.calls)
    end, audits = rate(rater="model", audit=7)
    assert end.ran
    assert len(audits) == 7
    assert len(model_server.calls) == calls + 1


def test_without_the_setting_nothing_is_asked_twice(rate, model_server):
    end, audits = rate(rater="model")
    assert not audits
    assert "rating_again" not in model_server.calls
    assert end.mark.books.unit == "rows"


def test_another_rater_is_no_second_rating(rate, model_server):
    with pytest.raises(UsageError, match=r"rated by critic, the model asked is fake.*--rater model"):
        rate(audit=5)
    assert "rating_again" not in model_server.calls


def test_ratings_that_the_pool_has_of_the_same_model_can_be_audited(rate, pool, model_server):
    pool.write_text(pool.read_text("utf-8").replace('"critic"', '"fake"'), "utf-8")
    _, audits = rate(audit=5)
    assert len(audits) == 5
    assert model_server.calls == ["reply_mode", *["rating_again"] * 5]


def test_a_failed_second_rating_is_counted_and_taken_up_again(rate, run_whole, model_server, tmp_path):
    default = model_server.answers
    model_server.answers = lambda operator, messages: (
        "I cannot say." if operator == "rating_again" else default(operator, messages)
    )
    end, audits = rate(rater="model", audit=3)
    assert end.mark.books.failed == {"second rating, ReplyUnusable": 3}
    assert end.mark.books.balanced
    assert [row["raw"] for row in audits.values()] == ["I cannot say."] * 3
    with look_at_run(tmp_path / "run") as run:
        assert run.store.audits.tally().rated == 0
        assert status(run).balanced
    model_server.answers = default
    again = run_whole(rater="model", audit=3, retry_failed=True)
    assert again["rate"].mark.books.failed == {}
    assert again["score"].mark.findings["audited"] == 3


def test_a_dry_run_counts_second_ratings(tmp_path, settings, model_server):
    changes = {**settings, "rater": "model", "audit": 8}
    with open_run(tmp_path / "run", changes, create=True) as run:
        asyncio.run(run_stage(run, stage_named("load")))
        assert rows_to_rate(run) == 28
    assert model_server.calls == []


def test_a_run_of_before_gets_the_table(tmp_path):
    old = Layout(file=RUN.file, tag=RUN.tag, migrations=RUN.migrations[:1])
    open_database(tmp_path / RUN.file, old).close()
    with pytest.raises(RunFolderError, match="earlier ENTP"), look_at_run(tmp_path):
        pass
    with open_run(tmp_path) as run:
        assert count(run.folder, "audits") == 0
