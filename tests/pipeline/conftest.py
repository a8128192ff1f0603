"""A pool of twenty rows, a fake encoder, and runs over them."""

from __future__ import annotations

import asyncio
import json
import shutil
from pathlib import Path

import pytest

from entp.pipeline.ahead.job import run_all
from entp.pipeline.run.settings import Scope
from entp.pipeline.stages.order import open_run
from small_pool import FakeEncoder, pool_rows


def write_pool(folder):
    path = folder / "pool.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in pool_rows()), "utf-8")
    return path


@pytest.fixture
def pool(tmp_path):
    return write_pool(tmp_path)


@pytest.fixture(autouse=True)
def encoder(monkeypatch):
    made = FakeEncoder()
    monkeypatch.setattr("entp.providers.encoders.open_encoder", lambda name: made)
    return made


def settings_for(pool, server):
    return {
        "pool": (str(pool),),
        "model": "fake",
        "base_url": server.base_url,
        "encoder": "fake",
        "similarity": 0.7,
        "concurrency": 4,
    }


@pytest.fixture
def settings(pool, model_server):
    """Settings of a run over the pool against the loopback server."""
    return settings_for(pool, model_server)


def bring_up_to_date(folder, changes, *, retry_failed=False, pairs=None):
    scope = Scope(pairs=pairs, retry_failed=retry_failed)
    with open_run(folder, changes, scope=scope, create=True) as run:
        ends = asyncio.run(run_all(run, lambda end: None))
    return {end.stage.name: end for end in ends}


@pytest.fixture
def run_whole(tmp_path, settings):
    """Run all stages in a folder; gives the ends of the stages, by name."""

    def work(folder: Path = tmp_path / "run", retry_failed=False, pairs=None, **changes):
        return bring_up_to_date(folder, {**settings, **changes}, retry_failed=retry_failed, pairs=pairs)

    return work


@pytest.fixture(scope="session")
def _finished(tmp_path_factory, lasting_server):
    folder = tmp_path_factory.mktemp("finished")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("entp.providers.encoders.open_encoder", lambda name: FakeEncoder())
        bring_up_to_date(folder / "run", settings_for(write_pool(folder), lasting_server))
    return folder / "run"


@pytest.fixture
def finished_run(_finished, tmp_path):
    """A copy of a finished run, whose server still answers: `lasting_server`."""
    return Path(shutil.copytree(_finished, tmp_path / "run"))


@pytest.fixture
def run_again(finished_run):
    """Bring a copy of a finished run up to date, with other settings; gives the ends of the stages."""

    def work(**changes):
        return bring_up_to_date(finished_run, changes)

    return work
