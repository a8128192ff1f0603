"""Estimates of calls, tokens, money and time, from what this run has recorded so far."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

from ...checkpoints.sqlite.ledger import Ledger, Spent
from ...graph.state import calls_of_a_fusion
from ...nodes.ask import MAX_REASKS
from ..run.run_folder import Run, ledger_path
from ..run.settings import Settings

# averages are taken over so many of the latest, so that no estimate reads a whole run
FUSIONS = 200
CALLS = 1000

_TOKENS = ("prompt_tokens", "completion_tokens")
_MINUTE, _HOUR, _MILLION, _CENT = 60, 3600, 1_000_000, 0.01

_LAST = f"(SELECT id, calls FROM fusions WHERE status = 'done' ORDER BY rowid DESC LIMIT {FUSIONS})"
# the calls of the fusion itself, then those of its variants
_OF_FUSIONS = f"""
SELECT count(*) AS fusions, coalesce(sum(json_array_length(calls)), 0) AS calls,
    (SELECT coalesce(sum(value ->> 'prompt_tokens'), 0) FROM {_LAST}, json_each(calls)) AS prompt,
    (SELECT coalesce(sum(value ->> 'completion_tokens'), 0) FROM {_LAST}, json_each(calls)) AS completion
FROM {_LAST}
"""
_OF_VARIANTS = f"""
SELECT coalesce(sum(prompt_tokens), 0) AS prompt, coalesce(sum(completion_tokens), 0) AS completion,
    coalesce(sum((SELECT sum(json_array_length(value, '$.calls')) FROM json_each(attempts))), 0) AS calls
FROM fused_rows WHERE fusion_id IN (SELECT id FROM {_LAST})
"""


@dataclass(frozen=True)
class Estimate:
    """What a number of ratings or fusions may take.

    `least` and `most` bound the calls, re-asks counted in `most`; `calls` is what those before took on
    average, None where there were none. Tokens and `seconds` go with `calls`; `dollars` needs both prices.
    """

    least: int
    most: int
    calls: int | None = None
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    dollars: float | None = None
    seconds: float | None = None


@dataclass(frozen=True)
class _Average:
    """What one rating or fusion has taken so far."""

    calls: float
    prompt_tokens: float
    completion_tokens: float


def estimate_of_ratings(run: Run, ratings: int) -> Estimate:
    """What so many ratings may take; each takes one call unless its reply does not fit."""
    latest = _latest(run)
    came = [call for call in latest if call.came and call.operator.startswith("rating")]
    average = None
    if came:
        prompt, completion = (sum(getattr(call, name) for call in came) / len(came) for name in _TOKENS)
        average = _Average(1, prompt, completion)
    return _estimate(run.settings, ratings, ratings, ratings * (1 + MAX_REASKS), average, latest)


def estimate_of_fusions(run: Run, fusions: int) -> Estimate:
    """What so many fusions may take."""
    least, most = calls_of_a_fusion(run.settings.budget)
    found, variants = run.store.one(_OF_FUSIONS) or {}, run.store.one(_OF_VARIANTS) or {}
    average = None
    if found["fusions"]:
        totals = (found[name] + variants[name] for name in ("calls", "prompt", "completion"))
        average = _Average(*(total / found["fusions"] for total in totals))
    bounds = fusions * least, fusions * most * (1 + MAX_REASKS)
    return _estimate(run.settings, fusions, *bounds, average, _latest(run))


def _latest(run: Run) -> list[Spent]:
    path = ledger_path(run)
    if not path.exists():
        return []
    with Ledger(path) as ledger:
        return ledger.latest(CALLS)


def _estimate(
    settings: Settings, items: int, least: int, most: int, average: _Average | None, latest: list[Spent]
) -> Estimate:
    if average is None:
        return Estimate(least, most)
    calls = round(items * average.calls)
    prompt, completion = (round(items * getattr(average, name)) for name in _TOKENS)
    dollars = None
    if settings.prompt_price is not None and settings.completion_price is not None:
        dollars = (prompt * settings.prompt_price + completion * settings.completion_price) / _MILLION
    pace = seconds_a_call(latest)
    seconds = None if pace is None else calls * pace
    return Estimate(least, most, calls, prompt, completion, dollars, seconds)


def seconds_a_call(latest: list[Spent]) -> float | None:
    """How long it took on average from one call's end to the next; None where that cannot be told.

    While a run works some call ends at least every longest latency; a longer gap is a pause between runs.
    """
    ends = [call.created_s for call in latest]
    longest = max((call.latency_s for call in latest), default=0.0)
    gaps = [later - sooner for later, sooner in pairwise(ends)]
    worked = [gap for gap in gaps if 0 <= gap <= longest]
    return sum(worked) / len(worked) if worked else None


def in_words(estimate: Estimate) -> str:
    """An estimate as a user reads it; bounds alone where nothing was recorded to go by."""
    if estimate.calls is None:
        return f"{estimate.least:,} to {estimate.most:,} calls"
    tokens = (estimate.prompt_tokens or 0) + (estimate.completion_tokens or 0)
    price = f"{_rounded(tokens)} tokens" if estimate.dollars is None else _price(estimate.dollars)
    time = "" if estimate.seconds is None else f", {_duration(estimate.seconds)}"
    return f"about {estimate.calls:,} calls (at most {estimate.most:,}), {price}{time}"


def _price(dollars: float) -> str:
    return f"${dollars:,.2f}" if dollars >= _CENT else "less than a cent"


def _rounded(number: int) -> str:
    return f"{number / _MILLION:.1f} million" if number >= _MILLION else f"{number:,}"


def _duration(seconds: float) -> str:
    if seconds < _MINUTE:
        return f"{seconds:.0f} s"
    return f"{seconds / _MINUTE:.0f} min" if seconds < _HOUR else f"{seconds / _HOUR:.1f} h"
