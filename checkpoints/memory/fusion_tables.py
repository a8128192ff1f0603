"""Fusions in memory, their variants, and forks beside them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any, cast

from ...records.calls import CallTrace
from ...records.datasets import Candidate
from ...records.errors import RunFolderError
from ...records.fusions import Ended, Fork, FusedRow, Fusion, Standing
from ...records.hashing import canonical_json
from ...records.listings import FusionTotals, ListedFork, ListedFusedRow, MadeAlike
from ...records.pairs import Operand
from .plan_tables import MemoryPairs, MemoryTasks
from .table import Access, MemoryTable


class MemoryFusedRows(MemoryTable[FusedRow]):
    """Variants by id. Each belongs to a fusion that is there, and its sources go with it."""

    def __init__(self, access: Access, pairs: MemoryPairs) -> None:
        super().__init__(access, "fused_rows", key=_id, order=_id)
        self._pairs = pairs

    def put(self, records: Iterable[FusedRow]) -> None:
        """Add variants of fusions that are there."""
        with self._access.change():
            for record in records:
                if record.fusion_id not in self._access.table("fusions"):
                    message = f"{self._access.run.place}: writing failed: {record.id} belongs to no fusion"
                    raise RunFolderError(message)
                super().put([record])

    def remove(self, keys: Iterable[str]) -> None:
        """Take variants away, with their sources."""
        with self._access.change():
            gone = set(keys)
            super().remove(gone)
            lineage = self._access.table("lineage")
            for entry in [entry for entry, (fused_id, _) in lineage.items() if fused_id in gone]:
                del lineage[entry]

    def of(self, fusion_id: str) -> list[FusedRow]:
        """The variants of a fusion, in order."""
        return sorted((row for row in self.all() if row.fusion_id == fusion_id), key=lambda row: row.variant)

    def losses(self) -> dict[int, int]:
        """How many fused rows have each loss, the least first."""
        losses = (row.loss for row in self.all() if row.status == "fused" and row.loss is not None)
        return dict(sorted(Counter(losses).items()))

    def failure_reasons(self) -> list[str]:
        """Why variants failed, by id."""
        return [row.reason or "" for row in self.all() if row.status == "failed"]

    def overrides(self) -> int:
        """How often a symbolic check overruled the model's word, in all attempts."""
        attempts = (cast(Any, attempt) for row in self.all() for attempt in row.attempts)
        return sum(len(attempt.get("loss", {}).get("overrides", ())) for attempt in attempts)

    def sources_of(self, key: str) -> list[str]:
        """The rows of the pool that a fused row was made from, by id."""
        return sorted(
            row_id for fused_id, row_id in self._access.table("lineage").values() if fused_id == key
        )

    def made_from(self, row_id: str) -> list[ListedFusedRow]:
        """The fused rows that a row of the pool went into, by id."""
        return [_listed(row) for row in self.all() if row_id in self.sources_of(row.id)]

    def candidates(self) -> Iterator[Candidate]:
        """The fused rows that a data set may take, in the order of the plan.

        `carried_by` names the later fusion that took a row up, where that fusion has a fused row itself.
        """
        for pair in self._pairs.all():
            for row in self.of(pair.id):
                if row.status == "fused" and row.loss is not None:
                    yield Candidate(row.id, pair.kind, row.loss, self._carried_by(row))

    def listed(self, limit: int | None = None) -> Iterator[ListedFusedRow]:
        """The fused rows as a listing shows them."""
        return map(_listed, self.all(limit))

    def _carried_by(self, row: FusedRow) -> str | None:
        fusion: Fusion | None = self._access.table("fusions").get(row.fusion_id)
        if fusion is None or fusion.carried != row.id:
            return None
        later = [pair.id for pair in self._pairs.using(Operand(kind="fusion", id=fusion.id))]
        fused = {found.fusion_id for found in self.all() if found.status == "fused"}
        return min(fused.intersection(later), default=None)


class MemoryFusions(MemoryTable[Fusion]):
    """Fusions by id, each with its variants."""

    def __init__(self, access: Access, pairs: MemoryPairs, tasks: MemoryTasks, rows: MemoryFusedRows) -> None:
        super().__init__(access, "fusions", key=_id, order=_id)
        self._pairs = pairs
        self._tasks = tasks
        self._fused_rows = rows

    def remove(self, keys: Iterable[str]) -> None:
        """Take fusions away, with their variants."""
        with self._access.change():
            gone = set(keys)
            super().remove(gone)
            self._fused_rows.remove([row.id for row in self._fused_rows.all() if row.fusion_id in gone])

    def finish(self, ended: Ended) -> None:
        """Keep how a pair ended, in place of what was there of it, and take its task out; one transaction."""
        with self._access.change():
            self.remove([ended.fusion.id])
            self.put([ended.fusion])
            self._fused_rows.put(ended.fused_rows)
            lineage = self._access.table("lineage")
            for row in ended.fused_rows:
                lineage |= {f"{row.id}\0{source}": (row.id, source) for source in ended.sources}
            self._tasks.settle(ended.fusion.id)

    def standing(self, key: str) -> Standing | None:
        """What decides whether a fusion is kept; None where there is none."""
        fusion = self.get(key)
        if fusion is None:
            return None
        return Standing(fusion.asked, fusion.templates, whole=not self._has_failed(fusion))

    def failed(self) -> dict[str, int]:
        """The fusions that failed, or of which a variant did: how often their operators have begun."""
        failed = (fusion for fusion in self.all() if self._has_failed(fusion))
        return {fusion.id: fusion.recipe.tries if fusion.recipe else 1 for fusion in failed}

    def drop_unplanned(self) -> int:
        """Remove the fusions of pairs that are no longer planned; how many there were."""
        unplanned = [key for key in self.ids() if self._pairs.get(key) is None]
        self.remove(unplanned)
        return len(unplanned)

    def ids(self) -> list[str]:
        """Every fusion's id, in order."""
        return [fusion.id for fusion in self.all()]

    def failure_reasons(self) -> list[str]:
        """Why fusions failed as a whole, by id."""
        return [fusion.reason or "" for fusion in self.all() if fusion.status == "failed"]

    def made_alike(self, ids: Iterable[str]) -> list[MadeAlike]:
        """The fusions among `ids`, counted by how they were made."""
        alike: dict[str, MadeAlike] = {}
        for fusion in filter(None, map(self.get, set(ids))):
            failed = self._has_failed(fusion)
            recipe = fusion.recipe and fusion.recipe.model_dump(mode="json")
            key = canonical_json([recipe, fusion.templates, failed])
            number = 1 + (alike[key].number if key in alike else 0)
            alike[key] = MadeAlike(fusion.recipe, fusion.templates, failed, number)
        return [made for _, made in sorted(alike.items())]

    def totals(self, latest: int) -> FusionTotals:
        """What the latest so many finished fusions took together."""
        done = [fusion for fusion in self._records.values() if fusion.status == "done"]
        last = done[max(0, len(done) - latest) :]
        variants = [row for fusion in last for row in self._fused_rows.of(fusion.id)]
        calls = [call for fusion in last for call in fusion.calls]
        attempts = [cast(Any, attempt) for row in variants for attempt in row.attempts]
        made: list[CallTrace | FusedRow] = [*calls, *variants]
        return FusionTotals(
            fusions=len(last),
            calls=len(calls) + sum(len(attempt.get("calls", ())) for attempt in attempts),
            prompt_tokens=sum(each.prompt_tokens for each in made),
            completion_tokens=sum(each.completion_tokens for each in made),
        )

    def _has_failed(self, fusion: Fusion) -> bool:
        variants = self._fused_rows.of(fusion.id)
        return fusion.status == "failed" or any(row.status == "failed" for row in variants)


class MemoryForks(MemoryTable[Fork]):
    """Forks by id, the oldest first."""

    def __init__(self, access: Access) -> None:
        super().__init__(access, "forks", key=_id, order=lambda fork: (fork.created, fork.id))

    def of(self, fusion_id: str) -> list[ListedFork]:
        """The forks of a fusion."""
        return [fork for fork in self.listed() if fork.fusion_id == fusion_id]

    def listed(self, limit: int | None = None) -> Iterator[ListedFork]:
        """The forks as a listing shows them."""
        for fork in self.all(limit):
            point = f"{fork.variant}:{fork.cycle}:{fork.attempt}"
            yield ListedFork(point=point, **fork.model_dump(include=_OF_A_FORK))


_OF_A_FORK = set(ListedFork.model_fields) - {"point"}


def _id(record: FusedRow | Fusion) -> str:
    return record.id


def _listed(row: FusedRow) -> ListedFusedRow:
    return ListedFusedRow(**row.model_dump(include=set(ListedFusedRow.model_fields)))
