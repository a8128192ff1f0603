"""Clusters of five and more through the pipeline: what is stored, named and taken up again."""

from __future__ import annotations

import json

import pytest

from entp.pipeline.stages.order import look_at_run
from entp.pipeline.views.show import show
from tables import query


@pytest.fixture
def pool(tmp_path):
    """One subject in three wordings and a few rows of others that are good already."""
    rows = [
        {
            "id": f"low-{group}-{at}",
            "instruction": f"Explain compound interest on savings accounts for {group} and {group} only.",
            "response": f"Interest that earns interest, {at}.",
            "ratings": {"c": 0},
        }
        for group in ("farmers", "sailors", "teachers")
        for at in range(4)
    ]
    rows += [
        {
            "id": f"high-{at}",
            "instruction": f"Bake bread {at}.",
            "response": "Knead.",
            "ratings": {"c": 5},
        }
        for at in range(3)
    ]
    path = tmp_path / "pool.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    return path


@pytest.fixture
def options():
    return {"correction": "raw", "kinds": ("intra",), "neighbours": 2}


def chain(folder):
    with look_at_run(folder) as run:
        return list(query(run.folder, "SELECT * FROM pairs ORDER BY depth, position"))


def test_a_row_fused_of_a_whole_cluster_names_all_its_representatives(run_whole, tmp_path, options):
    for fold in ("left", "tree"):
        folder = tmp_path / fold
        run_whole(folder, fold=fold, **options)
        with look_at_run(folder) as run:
            wanted = {
                row["row_id"]
                for row in query(run.folder, "SELECT row_id FROM clusters WHERE rank IS NOT NULL")
                if row["row_id"].startswith("low-")
            }
            made_from = {row.id for row in show(run, f"{chain(folder)[-1]['id']}-0").made_from}
        assert len(wanted) >= 5
        assert made_from == wanted


def fail_merge(server, *numbers):
    """Refuse the merges of these numbers, from 1."""
    default, merges = server.answers, []

    def answers(operator, messages):
        if operator == "merged_corpus_generation":
            merges.append(messages)
            if len(merges) in numbers:
                return 400
        return default(operator, messages)

    server.answers = answers
    return default


def test_a_fold_goes_past_a_failed_step_and_says_what_is_missing(run_whole, tmp_path, options, model_server):
    folder = tmp_path / "run"
    default = fail_merge(model_server, 1)
    ends = run_whole(folder, concurrency=1, **options)
    first, second, third, *later = chain(folder)
    # the first step failed, so the second has only its right side, which the third goes on with
    failed = ends["fuse"].mark.books.failed
    assert failed == {"OperandMissing": 3, "RequestRefused": 3}
    with look_at_run(folder) as run:
        past = run.store.fusions.get(second["id"])
        assert (past.status, past.missing) == ("failed", [first["id"]])
        fused = run.store.fusions.get(third["id"])
        assert (fused.status, fused.missing) == ("done", [first["id"]])
        sources = run.store.fused_rows.sources_of(f"{third['id']}-0")
        assert sources == sorted([second["right_id"], third["right_id"]])
        last = run.store.fusions.get(later[-1]["id"])
        assert (last.status, last.missing) == ("done", [first["id"]])
    # of every fusion but the last one variant was carried on, and is contained in later ones
    fused = len(later) + 1
    assert ends["blend"].mark.findings["sets"][0]["kinds"]["intra"] == 2 * fused + 1

    # taken up again, the whole chain is: what was folded past the failure has other operands now
    model_server.answers = default
    again = run_whole(folder, retry_failed=True, concurrency=1, **options)
    assert again["fuse"].mark.books.failed == {}
    assert again["fuse"].mark.findings["fused_rows"] == 3 * len(chain(folder))
    with look_at_run(folder) as run:
        assert run.store.fusions.get(later[-1]["id"]).missing == []
        assert len(run.store.fused_rows.sources_of(f"{later[-1]['id']}-0")) == len(chain(folder)) + 1


def test_a_failed_step_in_the_middle_loses_what_it_held_and_no_more(
    run_whole, tmp_path, options, model_server
):
    folder = tmp_path / "run"
    fail_merge(model_server, 2)
    run_whole(folder, concurrency=1, **options)
    first, second, third, *later = chain(folder)
    with look_at_run(folder) as run:
        assert run.store.fusions.get(first["id"]).status == "done"
        assert run.store.fusions.get(third["id"]).missing == [second["id"]]
        assert run.store.fusions.get(later[-1]["id"]).status == "done"
        # the first step's rows are in no later fusion, so they may go into a data set
        candidates = {found.id: found.carried_by for found in run.store.fused_rows.candidates()}
    assert candidates[f"{first['id']}-0"] is None
