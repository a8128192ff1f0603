"""What the stages that ask the model have before them: rows to rate, pairs to fuse."""

from __future__ import annotations

from dataclasses import fields

from ...checkpoints.sqlite.run_store import Record
from ...graph.state import FusionSettings
from ..run.run_folder import Run
from ..run.stage import state_of
from .order import stage_named
from .rate import MODEL, chosen_rater


def rows_to_rate(run: Run) -> int:
    """How many ratings the model would be asked for, second ones included."""
    if state_of(run, stage_named("rate")) == "done":
        return 0
    rater = chosen_rater(run)
    rows = run.store.count("rows")
    again = min(run.settings.audit, rows)
    if rater == MODEL:
        return rows + again
    sql = "SELECT count(*) AS n FROM rows WHERE json_extract(pool_ratings, '$.' || json_quote(?)) IS NULL"
    found = run.store.one(sql, rater) or {"n": 0}
    return int(found["n"]) + again


def chosen_pairs(run: Run) -> list[Record]:
    """The pairs to fuse, operands before what uses them.

    With `--pairs N` it is N of them, half of each kind where there are as many: those of two rows before
    those of earlier fusions, short texts first, so that a trial is cheap.
    """
    planned = list(
        run.store.query(
            "SELECT pairs.*, coalesce(length(l.turns), 0) + coalesce(length(r.turns), 0) AS characters "
            "FROM pairs LEFT JOIN rows AS l ON left_kind = 'row' AND l.id = left_id "
            "LEFT JOIN rows AS r ON right_kind = 'row' AND r.id = right_id ORDER BY depth, pairs.position"
        )
    )
    limit = run.settings.pairs
    if limit is None or limit >= len(planned):
        return planned
    planned.sort(key=lambda pair: (pair["depth"], pair["characters"]))
    intra, inter = ([pair for pair in planned if pair["kind"] == kind] for kind in ("intra", "inter"))
    few_inter = min(len(inter), max(limit // 2, limit - len(intra)))
    return intra[: limit - few_inter] + inter[:few_inter]


def fusion_settings(run: Run) -> FusionSettings:
    """What the run's settings decide about every fusion."""
    return FusionSettings(
        **{field.name: getattr(run.settings, field.name) for field in fields(FusionSettings)}
    )
