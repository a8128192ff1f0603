"""Status: where a run stands, and whether its books balance."""

from __future__ import annotations

from typing import Any

from ...records.books import Books
from ..run.run_folder import Run
from ..run.stage import Stage, state_of
from ..stages.fused import overrides
from ..stages.order import STAGES

# for a stage that has not ended: what it will take in, and what it has written so far
_INPUTS = {
    "rate": "SELECT (SELECT count(*) FROM rows) + (SELECT count(*) FROM audits) AS n",
    "embed": "SELECT count(*) AS n FROM rows",
    "score": "SELECT count(*) AS n FROM rows",
    "select": "SELECT count(*) AS n FROM scores WHERE quality = 'LQ'",
    "fuse": "SELECT 3 * count(*) AS n FROM pairs",
    "blend": "SELECT (SELECT count(*) FROM scores WHERE quality = 'HQ') + "
    "(SELECT count(*) FROM fused_rows WHERE status = 'fused') AS n",
    "export": "SELECT count(*) AS n FROM blend",
}
_OUTPUTS = {
    "rate": "SELECT (SELECT count(*) FROM ratings WHERE score IS NOT NULL) + "
    "(SELECT count(*) FROM audits WHERE score IS NOT NULL) AS n",
    "fuse": "SELECT count(*) AS n FROM fused_rows WHERE status = 'fused'",
}
_FAILED = {
    "rate": "SELECT (SELECT count(*) FROM ratings WHERE score IS NULL) + "
    "(SELECT count(*) FROM audits WHERE score IS NULL) AS n",
    "fuse": "SELECT (SELECT count(*) FROM fused_rows WHERE status = 'failed') + "
    "3 * (SELECT count(*) FROM fusions WHERE status = 'failed') AS n",
}


def status(run: Run) -> dict[str, Any]:
    """The state of each stage and its books; `balanced` says whether all of them balance.

    `overrides` counts how often a symbolic check overruled the model's word.
    """
    stages = [{"name": stage.name, "does": stage.does, "state": state_of(run, stage)} for stage in STAGES]
    books = {stage.name: books_of(run, stage).model_dump() for stage in STAGES}
    return {
        "run": str(run.folder),
        "model": run.settings.model,
        "encoder": run.settings.encoder,
        "overrides": overrides(run),
        "stages": stages,
        "books": books,
        "balanced": all(book["balanced"] for book in books.values()),
    }


def books_of(run: Run, stage: Stage) -> Books:
    """The books of a stage: as closed by its mark, else as they stand, with what is left as pending."""
    mark = run.store.mark(stage.name)
    if mark:
        return mark.books
    inputs, outputs, failed = (_number(run, table.get(stage.name)) for table in (_INPUTS, _OUTPUTS, _FAILED))
    return Books(
        unit="variants" if stage.name == "fuse" else "rows",
        inputs=inputs,
        outputs=outputs,
        failed={"so far": failed} if failed else {},
        pending=inputs - outputs - failed,
    )


def _number(run: Run, sql: str | None) -> int:
    found = run.store.one(sql) if sql else None
    return int(found["n"]) if found else 0
