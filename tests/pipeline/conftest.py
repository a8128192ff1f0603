"""A pool of twenty rows, a fake encoder, and runs over them."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from entp.pipeline.job import run_all
from entp.pipeline.run_folder import open_run
from small_pool import FakeEncoder, pool_rows


@pytest.fixture
def pool(tmp_path):
    path = tmp_path / "pool.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in pool_rows()), "utf-8")
    return path


@pytest.fixture(autouse=True)
def encoder(monkeypatch):
    made = FakeEncoder()
    monkeypatch.setattr("entp.providers.encoders.open_encoder", lambda name: made)
    return made


@pytest.fixture
def settings(pool, model_server):
    """Settings of a run over the pool against the loopback server."""
    return {
        "pool": (str(pool),),
        "model": "fake",
        "base_url": model_server.base_url,
        "encoder": "fake",
        "similarity": 0.7,
        "concurrency": 4,
    }


@pytest.fixture
def run_whole(tmp_path, settings):
    """Run all stages in a folder; gives the ends of the stages, by name."""

    def work(folder: Path = tmp_path / "run", retry_failed=False, **changes):
        with open_run(folder, {**settings, **changes}, create=True, retry_failed=retry_failed) as run:
            ends = asyncio.run(run_all(run, lambda end: None, retry_failed=retry_failed))
        return {end.stage.name: end for end in ends}

    return work
