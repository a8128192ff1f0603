"""A pool of few rows and an encoder that needs no model."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256

import numpy as np
import pytest

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


@contextmanager
def every_encoder_faked() -> Iterator[None]:
    """While this lasts, every encoder is the fake one: sentence-transformers takes seconds to import."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("entp.providers.encoders.open_encoder", lambda name: FakeEncoder())
        yield
