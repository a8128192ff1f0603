"""What the commands of the stages print: a line of books, then what was found."""

from __future__ import annotations

from collections.abc import Iterable

from ..pipeline.ahead.estimate import Estimate, in_words
from ..pipeline.ahead.job import Plan
from ..pipeline.run.stage import StageEnd
from ..pipeline.views.status import Status
from ..records.calls import Totals
from ..records.lines import Line
from .output import emit, table


def print_end(end: StageEnd) -> None:
    """How one stage ended."""
    books, findings = end.mark.books, end.findings
    counts = {
        "rejected": sum(books.rejected.values()),
        "failed": sum(books.failed.values()),
        "left": books.pending,
    }
    out = f"{books.inputs} {books.unit} in, {books.outputs} out"
    out += "".join(f", {number} {word}" for word, number in counts.items() if number)
    emit(f"{end.stage.name}: {out}" + ("" if end.ran else " (up to date)"))
    if end.ran:
        for reason, number in {**books.rejected, **books.failed}.items():
            emit(f"  {number} x {findings.why.get(reason, reason)}")
        if books.failed:
            emit(f"  each with its reason: {end.stage.listed}; --retry-failed tries them again")
        print_lines(end.stage.lines(findings))


def print_lines(lines: Iterable[Line]) -> None:
    """Lines of text, set in by two, and tables."""
    for line in lines:
        if isinstance(line, str):
            emit(f"  {line}")
        else:
            table(line.header, line.rows)


def print_plan(planned: Plan) -> None:
    """What a run would ask for."""
    if planned.fusion_calls is None:
        calls = planned.rating_calls
        emit(f"would rate {planned.rows_to_rate} rows: {calls.least} to {calls.most_with_reasks} calls")
        emit("pairs are known once the rows are rated")
    else:
        calls = planned.fusion_calls
        emit(
            f"would fuse {planned.pairs} of {planned.possible} possible pairs: "
            f"{calls.least} to {calls.most} calls, at the very most {calls.most_with_reasks} with re-asks; "
            "calls in the ledger are not made again"
        )
    _what_is_left(planned.estimate)


def _what_is_left(estimate: Estimate) -> None:
    """By this run's own averages, where there are any."""
    if estimate.calls is not None:
        emit(f"left to do: {in_words(estimate)}")


def print_books(status: Status) -> None:
    """The books of all stages as a table."""
    header = ("stage", "state", "unit", "in", "out", "rejected", "failed", "pending", "balanced")
    rows = []
    for stage in status.stages:
        books = status.books[stage.name]
        rows.append(
            (
                stage.name,
                stage.state,
                books.unit,
                books.inputs,
                books.outputs,
                sum(books.rejected.values()),
                sum(books.failed.values()),
                books.pending,
                "yes" if books.balanced else "NO",
            )
        )
    table(header, rows)


def print_spent(calls: list[Totals]) -> None:
    """What a run's calls came to as a table, if there were any."""
    header = ("stage", "operator", "model", "calls", "failed", "prompt tokens", "completion tokens", "cost")
    rows = [
        (
            each.stage,
            each.operator,
            each.model,
            each.calls,
            each.failed,
            each.prompt_tokens,
            each.completion_tokens,
            _cost(each),
        )
        for each in calls
    ]
    if rows:
        table(header, rows)


def _cost(each: Totals) -> str:
    if each.dollars is None:
        return "not known"
    return f"${each.dollars:,.2f}" if each.priced == each.calls else f"at least ${each.dollars:,.2f}"
