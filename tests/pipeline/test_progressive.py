"""Clusters of five and more through the pipeline: what is stored, named and taken up again."""

from __future__ import annotations

import json

import pytest

from entp.pipeline.run.run_folder import look_at_run
from entp.pipeline.views.show import show


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
        return list(run.store.query("SELECT * FROM pairs ORDER BY depth, position"))


def test_a_row_fused_of_a_whole_cluster_names_all_its_representatives(run_whole, tmp_path, options):
    for fold in ("left", "tree"):
        folder = tmp_path / fold
        run_whole(folder, fold=fold, **options)
        with look_at_run(folder) as run:
            wanted = {
                row["row_id"]
                for row in run.store.query("SELECT row_id FROM clusters WHERE rank IS NOT NULL")
                if row["row_id"].startswith("low-")
            }
            made_from = {row["id"] for row in show(run, f"{chain(folder)[-1]['id']}-0")["made_from"]}
        assert len(wanted) >= 5
        assert made_from == wanted


def test_a_failed_step_fails_those_that_need_it_and_is_taken_up_again(
    run_whole, tmp_path, options, model_server
):
    default, folder = model_server.answers, tmp_path / "run"
    merges = []

    def refuse_second(operator, messages):
        if operator == "merged_corpus_generation":
            merges.append(messages)
            if len(merges) >= 2:
                return 400
        return default(operator, messages)

    model_server.answers = refuse_second
    ends = run_whole(folder, **options)
    first, second, *later = chain(folder)
    failed = ends["fuse"].mark.books.failed
    assert failed == {"OperandMissing": 3 * len(later), "RequestRefused": 3}
    with look_at_run(folder) as run:
        states = {r["id"]: r for r in run.store.query("SELECT * FROM fusions")}
    assert states[first["id"]]["status"] == "done"
    assert states[second["id"]]["status"] == "failed"

    calls = len(model_server.calls)
    model_server.answers = default
    again = run_whole(folder, retry_failed=True, **options)
    assert again["fuse"].mark.books.failed == {}
    assert again["fuse"].mark.report["fused_rows"] == 3 * (2 + len(later))
    # the finished first step is not run again, nor is the second's domain analysis
    new = model_server.calls[calls:]
    assert new.count("merged_corpus_generation") == 1 + len(later)
    assert new.count("domain_analysis") == len(later)
