"""Stages: order, staleness, interruption; the run folder: lock and encoder."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys

import numpy as np
import pytest

from entp.pipeline.run.crowd import for_each
from entp.pipeline.run.stage import run_stage, state_of
from entp.pipeline.stages.embed import EmbedSettings
from entp.pipeline.stages.order import look_at_run, open_run, stage_named
from entp.pipeline.views.status import status
from entp.records.errors import RunFolderError, UsageError
from tables import count


def do(run, name):
    return asyncio.run(run_stage(run, stage_named(name)))


def test_a_stage_wants_those_before_it(tmp_path, settings):
    with open_run(tmp_path / "run", settings, create=True) as run:
        with pytest.raises(RunFolderError, match="entp load"):
            do(run, "rate")
        do(run, "load")
        do(run, "rate")
        with pytest.raises(RunFolderError, match="entp embed"):
            do(run, "score")


def test_states(tmp_path, settings):
    folder = tmp_path / "run"
    with open_run(folder, settings, create=True) as run:
        assert state_of(run, stage_named("load")) == "pending"
        do(run, "load")
        do(run, "rate")
        assert state_of(run, stage_named("rate")) == "done"
    with open_run(folder, {"rating_scale": "0-5"}) as run:
        assert state_of(run, stage_named("rate")) == "stale"
        assert state_of(run, stage_named("load")) == "done"


def test_a_stage_is_stale_where_one_that_it_reads_is(tmp_path, settings):
    folder = tmp_path / "run"
    with open_run(folder, settings, create=True) as run:
        for name in ("load", "rate", "embed", "score"):
            do(run, name)
    with open_run(folder, {"rating_scale": "0-5"}) as run:
        states = [state_of(run, stage_named(name)) for name in ("load", "rate", "embed", "score")]
        assert states == ["done", "stale", "done", "stale"]


def test_a_stage_that_breaks_off_leaves_no_mark(tmp_path, settings, monkeypatch):
    folder = tmp_path / "run"
    with open_run(folder, settings, create=True) as run:
        do(run, "load")

        def broken(name):
            raise KeyboardInterrupt

        monkeypatch.setattr("entp.providers.encoders.open_encoder", broken)
        with pytest.raises(KeyboardInterrupt):
            do(run, "embed")
    with look_at_run(folder) as run:
        assert state_of(run, stage_named("embed")) == "pending"
        books = status(run).books["embed"]
        assert (books.inputs, books.pending, books.balanced) == (20, 20, True)


def test_an_interrupted_embedding_goes_on_after_its_last_chunk(tmp_path, settings, monkeypatch, encoder):
    monkeypatch.setattr("entp.pipeline.stages.vectors.CHUNK", 6)
    folder, encode = tmp_path / "run", encoder.encode

    def tired(texts, **options):
        if encoder.encoded >= 12:
            raise KeyboardInterrupt
        return encode(texts, **options)

    with open_run(folder, settings, create=True) as run:
        do(run, "load")
        monkeypatch.setattr(encoder, "encode", tired)
        with pytest.raises(KeyboardInterrupt):
            do(run, "embed")
        monkeypatch.setattr(encoder, "encode", encode)
        end = do(run, "embed")
    assert encoder.encoded == 20
    vectors = np.load(folder / end.mark.findings["file"])
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)


def test_two_encoders_in_one_run_are_refused(tmp_path, settings):
    folder = tmp_path / "run"
    with open_run(folder, settings, create=True) as run:
        do(run, "load")
        do(run, "embed")
    with (
        pytest.raises(UsageError, match="another run folder"),
        open_run(folder, {"encoder": "other"}) as run,
    ):
        do(run, "embed")
    with look_at_run(folder) as run:
        assert run.settings.of(EmbedSettings).encoder == "fake"


def test_a_second_command_on_one_folder_is_refused_with_the_firsts_process(tmp_path, settings):
    folder = tmp_path / "run"
    with open_run(folder, settings, create=True):
        code = (
            f"from pathlib import Path\nfrom entp.pipeline.stages.order import open_run\n"
            f"with open_run(Path({str(folder)!r})): pass"
        )
        second = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
        assert f"in use by process {os.getpid()}" in second.stderr
    with open_run(folder):
        pass


def test_looking_at_a_run_does_not_need_the_lock(tmp_path, settings):
    folder = tmp_path / "run"
    with open_run(folder, settings, create=True) as run:
        do(run, "load")
        with look_at_run(folder) as seen:
            assert count(seen.folder, "rows") == 20


def test_an_unwritable_folder_is_one_line(tmp_path):
    blocked = tmp_path / "file"
    blocked.write_text("in the way")
    with pytest.raises(RunFolderError, match="cannot be made"), open_run(blocked / "run", create=True):
        pass


def test_a_folder_without_a_run(tmp_path):
    with pytest.raises(RunFolderError, match="does not hold a run"), open_run(tmp_path):
        pass
    with pytest.raises(RunFolderError, match="does not hold a run"), look_at_run(tmp_path):
        pass
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("changes", [{"similarty": 0.8}, {"similarity": 2}, {"form": "xml"}])
def test_a_wrong_setting_is_told_by_name(tmp_path, changes):
    with pytest.raises(UsageError, match=next(iter(changes))), open_run(tmp_path / "r", changes, create=True):
        pass


def test_for_each_keeps_to_its_number_and_raises_the_first_error():
    running, most, done = 0, 0, []

    async def work(item):
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0)
        running -= 1
        if item == 50:
            raise KeyError(item)
        done.append(item)

    with pytest.raises(KeyError):
        asyncio.run(for_each(range(100), work, workers=7))
    assert most == 7
    assert len(done) < 60
    asyncio.run(for_each(range(20), work, workers=3))
    assert done[-20:] == list(range(20))


def test_a_pool_that_has_gone_does_not_undo_what_was_loaded(tmp_path, settings, pool):
    with open_run(tmp_path / "run", settings, create=True) as run:
        do(run, "load")
        pool.unlink()
        assert state_of(run, stage_named("load")) == "done"
        do(run, "rate")


def test_a_pool_is_known_by_its_content_not_by_its_time(tmp_path, settings, pool):
    with open_run(tmp_path / "run", settings, create=True) as run:
        do(run, "load")
        os.utime(pool, (1, 1))
        assert state_of(run, stage_named("load")) == "done"
        pool.write_text(pool.read_text("utf-8").replace("puppy", "kitten"), "utf-8")
        assert state_of(run, stage_named("load")) == "stale"
