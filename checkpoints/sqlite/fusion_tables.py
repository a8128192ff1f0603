"""Fusions in run.db: how each ended, and how they were made."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import NamedTuple

from ...records.fusions import Ended, FusedRow, Fusion, Recipe, Standing
from ...records.hashing import canonical_json
from ...records.listings import FusionTotals, MadeAlike
from .plan_tables import TasksTable
from .run_file import Reader, RunFile
from .table import SqliteTable

_LAST = "(SELECT id, calls FROM fusions WHERE status = 'done' ORDER BY rowid DESC LIMIT ?1)"
# the calls of the fusion itself, then those of its variants
_OF_FUSIONS = f"""
SELECT count(*), coalesce(sum(json_array_length(calls)), 0),
    (SELECT coalesce(sum(value ->> 'prompt_tokens'), 0) FROM {_LAST}, json_each(calls)),
    (SELECT coalesce(sum(value ->> 'completion_tokens'), 0) FROM {_LAST}, json_each(calls))
FROM {_LAST}
"""
_OF_VARIANTS = f"""
SELECT coalesce(sum((SELECT sum(json_array_length(value, '$.calls')) FROM json_each(attempts))), 0),
    coalesce(sum(prompt_tokens), 0), coalesce(sum(completion_tokens), 0)
FROM fused_rows WHERE fusion_id IN (SELECT id FROM {_LAST})
"""
_WHOLE = """(
    status = 'done'
    AND NOT EXISTS (SELECT 1 FROM fused_rows WHERE fusion_id = fusions.id AND fused_rows.status = 'failed')
)"""
_MADE = f"SELECT id, asked, recipe, templates, NOT {_WHOLE}, {{number}} FROM fusions"
_STANDING = f"{_MADE.format(number=1)} WHERE id = ?"
_ALIKE = f"{_MADE.format(number='count(*)')} WHERE id IN (SELECT value FROM json_each(?)) GROUP BY 3, 4, 5"
_FAILED = f"""
SELECT id, coalesce(json_extract(recipe, '$.tries'), 1) FROM fusions WHERE NOT {_WHOLE} ORDER BY id
"""


class _Made(NamedTuple):
    """How a fusion was made, or the first of a number that were made alike."""

    id: str
    asked: str
    recipe: Recipe | None
    templates: dict[str, str]
    failed: bool
    number: int


class FusionsTable(SqliteTable[Fusion]):
    """`fusions` by id; their variants and lineage go with them."""

    def __init__(self, file: RunFile, fused_rows: SqliteTable[FusedRow], tasks: TasksTable) -> None:
        super().__init__(file, "fusions", Fusion, key=("id",), order="id")
        self._fused_rows = fused_rows
        self._tasks = tasks
        self._made = Reader(file, _Made, "fusions", ("id",))

    def finish(self, ended: Ended) -> None:
        """Keep how a pair ended, in place of what was there of it, and take its task out; one transaction."""
        lineage = [(row.id, source) for row in ended.fused_rows for source in ended.sources]
        with self._file.change():
            self.remove([ended.fusion.id])
            self.put([ended.fusion])
            self._fused_rows.put(ended.fused_rows)
            self._file.write_many("INSERT INTO lineage (fused_id, row_id) VALUES (?, ?)", lineage)
            self._tasks.settle(ended.fusion.id)

    def standing(self, key: str) -> Standing | None:
        """What decides whether a fusion is kept; None where there is none."""
        found = next(self._made.read(_STANDING, key), None)
        return Standing(found.asked, found.templates, whole=not found.failed) if found else None

    def failed(self) -> dict[str, int]:
        """The fusions that failed, or of which a variant did: how often their operators have begun."""
        return {fusion_id: tries for fusion_id, tries in self._file.read(_FAILED)}

    def drop_unplanned(self) -> int:
        """Remove the fusions of pairs that are no longer planned; how many there were."""
        return self._file.write("DELETE FROM fusions WHERE id NOT IN (SELECT id FROM pairs)")

    def ids(self) -> list[str]:
        """Every fusion's id, in order."""
        return self._file.names("SELECT id FROM fusions ORDER BY id")

    def failure_reasons(self) -> list[str]:
        """Why fusions failed as a whole, by id."""
        sql = "SELECT coalesce(reason, '') FROM fusions WHERE status = 'failed' ORDER BY id"
        return self._file.names(sql)

    def made_alike(self, ids: Iterable[str]) -> list[MadeAlike]:
        """The fusions among `ids`, counted by how they were made."""
        alike: dict[str, MadeAlike] = {}
        for made in self._made.read(_ALIKE, json.dumps(list(ids))):
            # what earlier builds kept beside a recipe does not count
            recipe = made.recipe and made.recipe.model_dump(mode="json")
            key = canonical_json([recipe, made.templates, made.failed])
            number = made.number + (alike[key].number if key in alike else 0)
            alike[key] = MadeAlike(made.recipe, made.templates, made.failed, number)
        return [made for _, made in sorted(alike.items())]

    def totals(self, latest: int) -> FusionTotals:
        """What the latest so many finished fusions took together."""
        fusions, *of_fusions = self._file.first(_OF_FUSIONS, latest) or (0, 0, 0, 0)
        of_variants = self._file.first(_OF_VARIANTS, latest) or (0, 0, 0)
        calls, prompt, completion = map(sum, zip(of_fusions, of_variants, strict=True))
        return FusionTotals(fusions, calls, prompt, completion)
