"""Time a call, from when the latest calls ended."""

from __future__ import annotations

import pytest

from entp.pipeline.ahead.estimate import Estimate, in_words, seconds_a_call
from entp.records.calls import Spent


def estimate(*values):
    return Estimate(**dict(zip(Estimate.model_fields, values, strict=False)))


def calls(*ends, latency=2.0):
    return [Spent("rating", 1, 1, latency, end, True) for end in reversed(ends)]


def test_the_pace_is_the_mean_of_the_gaps():
    assert seconds_a_call(calls(10.0, 10.5, 11.5)) == 0.75


def test_a_night_between_two_runs_is_no_work():
    assert seconds_a_call(calls(10.0, 11.0, 50_000.0, 51_000.0 - 999)) == 1.0


@pytest.mark.parametrize("ends", [(), (10.0,), (10.0, 99.0)])
def test_too_few_calls_tell_nothing(ends):
    assert seconds_a_call(calls(*ends)) is None


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (estimate(8, 96), "8 to 96 calls"),
        (estimate(800, 9600, 1204, 900, 100), "about 1,204 calls (at most 9,600), 1,000 tokens"),
        (
            estimate(8, 96, 10, 1_500_000, 20_000, None, 59),
            "about 10 calls (at most 96), 1.5 million tokens, 59 s",
        ),
        (estimate(8, 96, 10, 9, 9, 1.899, 720), "about 10 calls (at most 96), $1.90, 12 min"),
        (estimate(8, 96, 10, 9, 9, 1234.5, 9000), "about 10 calls (at most 96), $1,234.50, 2.5 h"),
    ],
)
def test_in_words(given, words):
    assert in_words(given) == words
