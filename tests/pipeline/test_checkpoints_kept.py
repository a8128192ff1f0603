"""What a fusion leaves in checkpoints.db, and what pruning leaves of it."""

from __future__ import annotations

import asyncio
import sqlite3
import uuid
from contextlib import closing

import numpy as np
import pytest

from entp.checkpoints import open_saver, thread_id
from entp.checkpoints.sqlite.threads import threads
from entp.graph.fusion import fusion_graph
from entp.nodes.ask import Model
from entp.pipeline.stages.order import look_at_run, open_run
from entp.pipeline.views import studio_server
from entp.pipeline.views.prune import prune
from entp.pipeline.views.verify import verify
from entp.records.fusions import Fork
from tables import change, query


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "run"


@pytest.fixture
def checkpoints(folder):
    return folder / "checkpoints.db"


def fusions(folder):
    with look_at_run(folder) as run:
        return [record["id"] for record in query(run.folder, "SELECT id FROM fusions ORDER BY id")]


def history(path, fusion_id, fake_chat):
    """The thread of a fusion as LangGraph reads it, the newest state first."""

    async def read():
        async with open_saver(path) as saver:
            graph = fusion_graph(Model(fake_chat())).compile(checkpointer=saver)
            config = {"configurable": {"thread_id": thread_id(fusion_id)}}
            assert (await graph.aget_state(config)).values
            return [state async for state in graph.aget_state_history(config)]

    return asyncio.run(read())


def rows(path, sql):
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(sql).fetchall()


def pruned(folder, keep=None, **options):
    with open_run(folder) as run:
        return prune(run, keep, **options)


def begin_in_studio(path):
    """A thread as Studio begins one, with two checkpoints."""
    thread = str(uuid.uuid4())

    async def run():
        async with open_saver(path) as saver:
            for number in ("1", "2"):
                config = {"configurable": {"thread_id": thread, "checkpoint_ns": ""}}
                await saver.aput(config, {"id": number, "channel_values": {}, "v": 4}, {}, {})

    asyncio.run(run())
    return thread


def test_by_default_the_end_of_each_fusion_is_kept(run_whole, folder, checkpoints, fake_chat):
    run_whole()
    assert threads(checkpoints) == {thread_id(fusion) for fusion in fusions(folder)}
    (state,) = history(checkpoints, fusions(folder)[0], fake_chat)
    assert set(state.values["variants"]) == {"0", "1", "2"}
    assert state.next == ()


def test_every_superstep_is_kept_on_request_also_after_the_end(run_whole, folder, checkpoints, fake_chat):
    run_whole(keep_checkpoints="all", pairs=2)
    for fusion in fusions(folder):
        states = history(checkpoints, fusion, fake_chat)
        assert [state.next for state in reversed(states)] == [
            ("__start__",),
            ("domain_analysis",),
            ("strategy_selection",),
            ("merged_corpus_generation",),
            ("variant", "variant", "variant"),
            ("collect",),
            (),
        ]


def test_nothing_is_kept_on_request_and_what_was_there_goes(run_whole, folder, checkpoints):
    run_whole(folder, keep_checkpoints="none", pairs=2)
    assert not checkpoints.exists()
    run_whole(folder, keep_checkpoints="last", pairs=2, seed=1)
    assert threads(checkpoints)
    run_whole(folder, keep_checkpoints="none", pairs=2, budget=2)
    assert not threads(checkpoints) & {thread_id(fusion) for fusion in fusions(folder)}


def test_what_is_kept_makes_no_stage_stale(run_whole):
    run_whole(keep_checkpoints="all")
    assert not any(end.ran for end in run_whole(keep_checkpoints="none").values())


def test_pruning_keeps_the_end_of_each_fusion(run_whole, folder, checkpoints, fake_chat):
    run_whole(keep_checkpoints="all", pairs=3)
    fusion = fusions(folder)[0]
    before = history(checkpoints, fusion, fake_chat)
    told = pruned(folder, "last")
    (after,) = history(checkpoints, fusion, fake_chat)
    assert (after.values, after.next) == (before[0].values, ())
    assert after.parent_config is None
    assert told.threads == 0
    assert told.checkpoints > 3 * len(before)
    assert len(rows(checkpoints, "SELECT 1 FROM checkpoints")) == 3
    assert told.files["checkpoints.db"].after < told.files["checkpoints.db"].before / 3
    again = pruned(folder, "last")
    assert (again.threads, again.checkpoints, again.embeddings) == (0, 0, [])


def test_pruning_to_the_end_leaves_forks_and_threads_of_studio(run_whole, folder, checkpoints, fake_chat):
    run_whole(keep_checkpoints="all", pairs=2)
    forked, gone = fusions(folder)
    theirs = begin_in_studio(checkpoints)
    with open_run(
        folder
    ) as run:  # as if the thread of a fork, and that of a fusion that is no longer planned
        one = run.store.fused_rows.of(forked)[0]
        place = {"id": forked, "cycle": 1, "attempt": 1, "changes": {}, "created": ""}
        run.store.forks.put([Fork(**{**dict(one), **place})])
        change(run.folder, "DELETE FROM fusions")
    steps = len(history(checkpoints, forked, fake_chat))
    told = pruned(folder, "last")
    assert threads(checkpoints) == {thread_id(forked), theirs}
    assert told.threads == 1
    assert len(history(checkpoints, forked, fake_chat)) == steps > 1
    assert thread_id(gone) not in threads(checkpoints)
    assert len(rows(checkpoints, f"SELECT 1 FROM checkpoints WHERE thread_id = '{theirs}'")) == 2


def test_pruning_to_nothing_leaves_no_thread_and_a_sound_run(run_whole, folder, checkpoints):
    run_whole(pairs=2)
    begin_in_studio(checkpoints)
    before = (folder / "hq+entp.jsonl").read_bytes()
    told = pruned(folder, "none")
    assert told.threads == 3
    assert threads(checkpoints) == set()
    assert rows(checkpoints, "SELECT 1 FROM writes") == []
    with look_at_run(folder) as run:
        assert verify(run) == []
    assert not any(end.ran for end in run_whole(pairs=2).values())
    assert (folder / "hq+entp.jsonl").read_bytes() == before


def test_without_a_word_the_runs_own_setting_counts(run_whole, folder, checkpoints, fake_chat):
    run_whole(keep_checkpoints="all", pairs=1)
    told = pruned(folder)
    assert (told.keep_checkpoints, told.checkpoints) == ("all", 0)
    assert len(history(checkpoints, fusions(folder)[0], fake_chat)) > 1


def test_a_dry_run_tells_what_would_go(run_whole, folder, checkpoints):
    run_whole(keep_checkpoints="all", pairs=2)
    (folder / "embeddings-0123456789abcdef.npy").touch()
    told = pruned(folder, "last", dry_run=True)
    assert all(size.after is None for size in told.files.values())
    assert (folder / "embeddings-0123456789abcdef.npy").exists()
    done = pruned(folder, "last")
    assert (told.threads, told.checkpoints) == (done.threads, done.checkpoints)
    assert told.checkpoints > 2
    assert told.embeddings == ["embeddings-0123456789abcdef.npy"]


def test_vectors_that_no_row_uses_go(run_whole, folder, encoder):
    run_whole()
    (used,) = folder.glob("embeddings-*.npy")
    np.save(folder / "embeddings-of-before.npy", np.zeros((2, 3), np.float32))
    told = pruned(folder)
    assert told.files["embeddings-of-before.npy"].after == 0
    assert list(folder.glob("embeddings-*.npy")) == [used]
    encoded = encoder.encoded
    assert not run_whole()["embed"].ran
    assert encoder.encoded == encoded


def test_vectors_of_an_unfinished_stage_stay(run_whole, folder):
    run_whole(pairs=1)
    with open_run(folder) as run:
        run.store.marks.remove("embed")
    (folder / "embeddings-half-way.npy").touch()
    assert pruned(folder).embeddings == []
    assert (folder / "embeddings-half-way.npy").exists()


def test_a_run_that_has_fused_nothing_can_be_pruned(folder, settings):
    with open_run(folder, settings, create=True) as run:
        told = prune(run, "none")
    assert (told.threads, told.checkpoints, told.embeddings) == (0, 0, [])
    assert "run.db" in told.files


def test_studio_lists_what_can_be_opened_and_no_more(run_whole, folder, checkpoints, monkeypatch):
    run_whole(pairs=3)
    told = []
    monkeypatch.setattr(studio_server, "_call", lambda port, path, body: told.append(body["thread_id"]))
    lost = fusions(folder)[1]
    with closing(sqlite3.connect(checkpoints)) as connection, connection:
        connection.execute("DELETE FROM checkpoints WHERE thread_id = ?", (thread_id(lost),))
    studio_server._name_threads(folder, 0)
    assert set(told) == {thread_id(fusion) for fusion in fusions(folder)} - {thread_id(lost)}
    checkpoints.unlink()
    told.clear()
    studio_server._name_threads(folder, 0)
    assert told == []
