"""A pool of twenty rows, a fake encoder, and runs over them."""

from __future__ import annotations

import asyncio
import json
import re
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest

from entp.pipeline.job import run_all
from entp.pipeline.run_folder import open_run

TOPICS = (
    "photosynthesis in plants",
    "compound interest on savings",
    "the causes of the first world war",
    "training a puppy at home",
    "baking sourdough bread",
)


def pool_rows(number=20):
    """Rows on five subjects; four wordings of a subject lie close to each other."""
    return [
        {
            "id": f"row-{at:02}",
            "instruction": f"Explain {TOPICS[at % 5]} to a beginner, part {at // 5}.",
            "response": f"A short account of {TOPICS[at % 5]}, number {at}.",
            "ratings": {"critic": (at * 7) % 6},
        }
        for at in range(number)
    ]


@pytest.fixture
def pool(tmp_path):
    path = tmp_path / "pool.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in pool_rows()), "utf-8")
    return path


class FakeEncoder:
    """Bags of words as unit vectors: a function of the text, the same on every machine."""

    name = "fake"
    dimensions = 64

    def __init__(self):
        self.encoded = 0

    def encode(self, texts, *, batch_size=64, on_progress=None):
        self.encoded += len(texts)
        return np.stack([self._vector(text) for text in texts]).astype(np.float32)

    def _vector(self, text):
        vector = np.full(self.dimensions, 0.01)
        for word in re.findall(r"[a-z]{4,}", text.lower()):
            vector[int(sha256(word.encode()).hexdigest(), 16) % self.dimensions] += 1
        return vector / np.linalg.norm(vector)


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
