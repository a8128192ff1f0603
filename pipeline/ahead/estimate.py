"""Estimates of calls, tokens, money and time, from what this run has recorded so far."""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple

from ...nodes.ask import MAX_REASKS
from ...nodes.templates import templates_of
from ...records.calls import Spent
from ...records.stored import Stored
from ..run.run_folder import Run
from ..run.settings import EMBEDDED, Asking
from ..run.wiring import resolved_model
from ..stages.fuse import calls_of_one

# averages are taken over so many of the latest, so that no estimate reads a whole run
FUSIONS = 200
CALLS = 1000

_OF_A_ROW = {template.name for template in templates_of("row")}
_MINUTE, _HOUR, _MILLION, _CENT = 60, 3600, 1_000_000, 0.01


class Estimate(Stored):
    """What a number of ratings or fusions may take.

    `least` and `most` bound the calls, re-asks and beginnings counted in `most`; `calls` is what those before
    took on average, None where there were none. Tokens and `seconds` go with `calls`; `dollars` needs both
    prices.
    """

    least: int
    most: int
    calls: int | None = None
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    dollars: float | None = None
    seconds: float | None = None


class _Average(NamedTuple):
    """What one rating or fusion has taken so far."""

    calls: float
    prompt_tokens: float
    completion_tokens: float


def estimate_of_ratings(run: Run, ratings: int, beginnings: int) -> Estimate:
    """What so many ratings may take, which may begin so often in all.

    Each takes one call a beginning unless its reply does not fit.
    """
    latest = _latest(run)
    came = [call for call in latest if call.came and call.operator in _OF_A_ROW]
    average = None
    if came:
        prompt = sum(call.prompt_tokens for call in came) / len(came)
        average = _Average(1, prompt, sum(call.completion_tokens for call in came) / len(came))
    return _estimate(run, ratings, (ratings, beginnings * (1 + MAX_REASKS)), average, latest)


def estimate_of_fusions(run: Run, fusions: int, beginnings: int) -> Estimate:
    """What so many fusions may take, whose operators may begin so often, summed over the fusions."""
    least, most = calls_of_one(run)
    found = run.store.fusions.totals(FUSIONS)
    average = None
    if found.fusions:
        totals = found.calls, found.prompt_tokens, found.completion_tokens
        average = _Average(*(total / found.fusions for total in totals))
    bounds = fusions * least, beginnings * most * (1 + MAX_REASKS)
    return _estimate(run, fusions, bounds, average, _latest(run))


def _latest(run: Run) -> list[Spent]:
    """The latest calls of this run to its model; other runs may share the ledger."""
    if not run.ledger_path.exists():
        return []
    model = resolved_model(run.settings, run.key)
    # the embedded model goes by the name of its file
    with run.open_ledger(read_only=True) as ledger:
        return ledger.latest(CALLS, run=run.store.run_id, model=None if model == EMBEDDED else model)


def _estimate(
    run: Run, items: int, bounds: tuple[int, int], average: _Average | None, latest: list[Spent]
) -> Estimate:
    least, most = bounds
    if average is None:
        return Estimate(least=least, most=most)
    asking = run.settings.of(Asking)
    calls, prompt, completion = (round(items * each) for each in average)
    dollars = None
    if asking.prompt_price is not None and asking.completion_price is not None:
        dollars = (prompt * asking.prompt_price + completion * asking.completion_price) / _MILLION
    pace = seconds_a_call(latest)
    return Estimate(
        least=least,
        most=most,
        calls=calls,
        prompt_tokens=prompt,
        completion_tokens=completion,
        dollars=dollars,
        seconds=None if pace is None else calls * pace,
    )


def seconds_a_call(latest: list[Spent]) -> float | None:
    """How long it took on average from one call's end to the next; None where that cannot be said.

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
