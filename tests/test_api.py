"""ENTP from Python: its own example, typed records, data sets."""

from __future__ import annotations

import json
import re

import datasets
import pytest

from entp import api
from entp.records.errors import RunFolderError, UsageError
from entp.records.fusions import FusedRow
from entp.records.pairs import Pair
from entp.records.ratings import Score
from entp.records.rows import StoredRow
from small_pool import FakeEncoder, pool_rows


@pytest.fixture(autouse=True)
def _encoder(monkeypatch):
    monkeypatch.setattr("entp.providers.encoders.open_encoder", lambda name: FakeEncoder())


@pytest.fixture
def pool(tmp_path):
    path = tmp_path / "pool.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in pool_rows()), "utf-8")
    return path


@pytest.fixture
def settings(model_server):
    return {"model": "fake", "base_url": model_server.base_url, "encoder": "fake", "similarity": 0.7}


def test_the_whole_job_and_what_a_run_holds(pool, tmp_path, settings):
    folder, ends = tmp_path / "run", []
    found = api.run([pool], folder, settings, on_end=ends.append)
    assert found.balanced
    assert [end.stage.name for end in ends] == [stage.name for stage in found.stages]
    with api.open_run(folder) as run:
        for records, kind in (
            (run.rows(), StoredRow),
            (run.scores(), Score),
            (run.pairs(), Pair),
            (run.fused_rows(), FusedRow),
        ):
            assert {type(record) for record in records} == {kind}
        assert run.verify() == []
        (only,) = run.data_sets()
        training = run.data_set(only.name)
        assert isinstance(training, datasets.Dataset)
        assert len(training) == only.rows
        assert training[0]["messages"][0]["role"] == "user"
        with pytest.raises(UsageError, match="there is no data set 'entp'"):
            run.data_set("entp")


def test_a_chat_of_ones_own_answers_in_place_of_a_server(pool, tmp_path, fake_chat):
    chat = fake_chat()
    host = api.Host(chat=chat)
    found = api.run(
        [pool], tmp_path / "run", {"model": "fake", "encoder": "fake", "similarity": 0.7}, host=host
    )
    assert found.balanced
    assert chat.asked
    # every reply is in the ledger: the same once more is up to date, and a change asks only what is new
    api.run([], tmp_path / "run", {"seed": 1}, host=host)
    again = {request.canonical for request in chat.asked}
    assert len(again) == len(chat.asked)
    with api.open_run(tmp_path / "run") as run:
        assert {row.model for row in run.fused_rows()} == {"fake"}


def test_each_stage_is_a_function(pool, tmp_path, settings):
    folder = tmp_path / "run"
    api.load(folder, settings, pool=[pool])
    for stage in (api.rate, api.embed, api.score, api.select, api.fuse, api.blend):
        stage(folder)
    assert api.export(folder).rows > 0
    assert "Stage export" in api.export.__doc__


def test_what_is_not_there_is_an_error_with_a_remedy(tmp_path):
    with pytest.raises(RunFolderError, match="does not hold a run"):
        api.rate(tmp_path)
    with pytest.raises(RunFolderError), api.open_run(tmp_path):
        pass


def test_the_example_of_its_docstring_runs(pool, tmp_path, settings, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    example = "\n".join(re.findall(r"(?m)^    (.*)$", api.__doc__))
    asked = "{" + ", ".join(f"{name!r}: {value!r}" for name, value in settings.items()) + "}"
    exec(re.sub(r"\{.*\}", asked, example), {})
    assert capsys.readouterr().out == "True\n"
