"""What each stage prints: a line of books, then what it found."""

from __future__ import annotations

from typing import Any

from ..pipeline.ahead.estimate import Estimate, in_words
from ..pipeline.run.stage import StageEnd
from ..pipeline.stages.load import shown
from .output import emit, one_line, table

WIDTH = 60
# where the stages that ask the model list what failed
LISTED = {"rate": "entp list unrated", "fuse": "entp list fusions, entp list fused"}


def print_report(end: StageEnd) -> None:
    """The report of one stage."""
    books, report = end.mark.books, end.mark.report
    counts = {"rejected": sum(books.rejected.values()), "failed": sum(books.failed.values())}
    out = f"{books.inputs} {books.unit} in, {books.outputs} out"
    out += "".join(f", {number} {word}" for word, number in counts.items() if number)
    emit(f"{end.stage.name}: {out}" + ("" if end.ran else " (up to date)"))
    if end.ran:
        for reason, number in {**books.rejected, **books.failed}.items():
            emit(f"  {number} x {report.get('why', {}).get(reason, reason)}")
        if books.failed:
            emit(f"  each with its reason: {LISTED[end.stage.name]}; --retry-failed takes them up")
        _DETAILS[end.stage.name](report)


def print_plan(planned: dict[str, Any]) -> None:
    """What a run would ask for."""
    if planned.get("rows_to_rate"):
        calls = planned["rating_calls"]
        emit(f"would rate {planned['rows_to_rate']} rows: {calls['least']} to {calls['most']} calls")
        emit("pairs are known once the rows are rated")
        _what_is_left(planned)
        return
    calls = planned["fusion_calls"]
    emit(
        f"would fuse {planned['pairs']} pairs: {calls['least']} to {calls['most']} calls, "
        f"at the very most {calls['most_with_reasks']} with re-asks; calls in the ledger are not made again"
    )
    _what_is_left(planned)


def _what_is_left(planned: dict[str, Any]) -> None:
    """By this run's own averages, where there are any."""
    estimate = Estimate(**planned["estimate"])
    if estimate.calls is not None:
        emit(f"left to do: {in_words(estimate)}")


def print_books(status: dict[str, Any]) -> None:
    """The books of all stages as a table."""
    header = ("stage", "state", "unit", "in", "out", "rejected", "failed", "pending", "balanced")
    states = {stage["name"]: stage["state"] for stage in status["stages"]}
    rows = [
        (
            name,
            states[name],
            books["unit"],
            books["inputs"],
            books["outputs"],
            sum(books["rejected"].values()),
            sum(books["failed"].values()),
            books["pending"],
            "yes" if books["balanced"] else "NO",
        )
        for name, books in status["books"].items()
    ]
    table(header, rows)


def _load(report: dict[str, Any]) -> None:
    for source, number in report["sources"].items():
        emit(f"  {number} rows from {source}")
    for row in report["rejected"]:
        place = f"{shown(row['file'])}:{row['line']}"
        emit(f"  rejected {place}: found {row['found']}, expected {row['expected']}")


def _rate(report: dict[str, Any]) -> None:
    emit(
        f"  rater {report['rater']}: {report['from_pool']} from the pool, {report['from_model']} by the model"
    )
    if report["audit"]:
        _audit(report["audit"])
    _spent(report["spent"])
    table(("score", "rows"), [(int(score), number) for score, number in report["scores"].items()])


def _audit(found: dict[str, Any]) -> None:
    alike = f", {found['rated_alike']:.0%} alike (kappa {found['kappa']:.2f})" if found["audited"] else ""
    emit(f"  {found['audited']} of {found['wanted']} rows wanted were rated a second time{alike}")


def _embed(report: dict[str, Any]) -> None:
    emit(f"  {report['encoder']}, {report['dimensions']} dimensions, {report['encoded']} newly encoded")


def _score(report: dict[str, Any]) -> None:
    number = len(report["prior"])
    emit(f"  method {report['method']}, {report['audited']} rows rated twice")
    emit("  T: P(rated j | true i), and p: P(true i)")
    rows = [
        (f"true {i}", *(f"{value:.2f}" for value in line), f"{report['prior'][i]:.2f}")
        for i, line in enumerate(report["transition"])
    ]
    table(("", *(f"rated {j}" for j in range(number)), "p"), rows)
    if report["abstains"]:
        emit("  The correction abstains: the scores stay as rated, because")
    for flag in report["flags"]:
        emit(f"  - {flag['sentence']}")
    emit(f"  {report['moved']} scores moved; LQ {report['LQ']}, HQ {report['HQ']}")
    for move in report["flow"]:
        emit(f"    {move['rows']} from {move['from']} to {move['to']}")
    if report["examples"]:
        emit("  the surest of them, with the beginning of the text:")
        examples = [
            (row["row_id"], row["score"], row["corrected"], row["confidence"], one_line(row["text"], WIDTH))
            for row in report["examples"]
        ]
        table(("row", "rated", "corrected", "confidence", "text"), examples)
    if report["agreement"]:
        emit("  agreement of raters: quadratic-weighted kappa, Spearman, Spearman with lengths taken out")
        table(
            ("rater", "other", "rows", "kappa", "spearman", "length out"),
            [tuple(pair.values()) for pair in report["agreement"]],
        )
    for name, rows_of_class in report["content_classes"].items():
        emit(f"  {rows_of_class} rows are {name}")


def _select(report: dict[str, Any]) -> None:
    for share, value in report["nearest_similarity"].items():
        emit(f"  {float(share):.0%} of rows have their nearest neighbour at or below {value}")
    emit(
        f"  {report['clusters']} clusters, {report['clusters_of_two_or_more']} of two rows or more "
        f"(largest {report['largest_cluster']}), {report['representatives']} representatives"
    )
    emit(f"  {report['intra_pairs']} intra pairs, {report['inter_pairs']} inter pairs")
    if report["left_over"]:
        emit(f"  {len(report['left_over'])} representatives without an inter partner")
    if report["warning"]:
        emit(f"  warning: {report['warning']}")


def _fuse(report: dict[str, Any]) -> None:
    emit(f"  {report['pairs']} pairs gave {report['fused_rows']} fused rows")
    if report["losses"]:
        table(("loss left", "rows"), [(int(loss), number) for loss, number in report["losses"].items()])
    _spent(report["spent"])
    emit(f"  {report['overrides']} times a symbolic check overruled the model")


def _spent(spent: dict[str, int]) -> None:
    if spent:
        tokens = f"{spent['prompt_tokens']} prompt and {spent['completion_tokens']} completion tokens"
        emit(f"  {spent['calls']} calls made ({tokens}), {spent['answered']} answered from the ledger")


def _blend(report: dict[str, Any]) -> None:
    emit(f"  {report['HQ']} high-quality, {report['intra']} intra and {report['inter']} inter rows")


def _export(report: dict[str, Any]) -> None:
    emit(f"  {report['rows']} rows as {report['form']} in {shown(report['file'])}")


_DETAILS = {
    "load": _load,
    "rate": _rate,
    "embed": _embed,
    "score": _score,
    "select": _select,
    "fuse": _fuse,
    "blend": _blend,
    "export": _export,
}
