"""Show: a row, a pair with its fusion, a fused row or a fork, with its lineage in both directions."""

from __future__ import annotations

from typing import Literal, TypeAlias

from pydantic import Field

from ...records.conversation import Conversation
from ...records.errors import UsageError
from ...records.fusions import Fork, FusedRow, Fusion
from ...records.listings import ListedFork, ListedFusedRow
from ...records.pairs import ClusterMember, Operand, Pair
from ...records.ratings import RowRating, Score
from ...records.rows import StoredRow
from ...records.stored import Stored
from ..run.run_folder import Run


class Source(Stored):
    """A row of the pool that something was made from."""

    id: str
    source: str
    turns: Conversation
    score: int | None
    corrected: int | None


class OperandText(Stored):
    """What stands on one side of a pair: a row with its source, or a fused row with its strategy."""

    id: str
    source: str | None = None
    strategy: str | None = None
    turns: Conversation


class RowStory(Stored):
    """A row of the pool, and what became of it."""

    kind: Literal["row"] = "row"
    row: StoredRow
    rating: RowRating | None
    second_rating: RowRating | None
    score: Score | None
    cluster: ClusterMember | None
    pairs: list[Pair]
    fused_rows: list[ListedFusedRow]
    data_sets: list[str]


class PairStory(Stored):
    """A pair, its operands and its fusion; `used_by` are the pairs that take the fusion up."""

    kind: Literal["pair"] = "pair"
    pair: Pair
    left: OperandText | None
    right: OperandText | None
    fusion: Fusion | None
    fused_rows: list[FusedRow]
    forks: list[ListedFork]
    used_by: list[Pair]

    @property
    def carried(self) -> FusedRow | None:
        """The fused row that stands for the fusion."""
        wanted = self.fusion.carried if self.fusion else None
        return next((row for row in self.fused_rows if row.id == wanted), None)


class FusedRowStory(Stored):
    """A fused row, what it was made from, and what became of it."""

    kind: Literal["fused_row"] = "fused_row"
    fused_row: FusedRow
    summed_loss: int | None = Field(description="the paper's loss, the least of each cycle added up")
    made_from: list[Source]
    used_by: list[Pair]
    data_sets: list[str]


class ForkStory(Stored):
    """A fork beside the variant that it was made from."""

    kind: Literal["fork"] = "fork"
    fork: Fork
    original: FusedRow | None


Story: TypeAlias = RowStory | PairStory | FusedRowStory | ForkStory


def show(run: Run, wanted: str) -> Story:
    """All that the run knows about an id; an unknown one is a UsageError."""
    store = run.store
    if row := store.rows.get(wanted):
        return _row(run, row)
    if pair := store.pairs.get(wanted):
        return pair_story(run, pair)
    if fused := store.fused_rows.get(wanted):
        return _fused_row(run, fused)
    if fork := store.forks.get(wanted):
        original = store.fused_rows.of(fork.fusion_id)
        return ForkStory(
            fork=fork, original=next((row for row in original if row.variant == fork.variant), None)
        )
    message = f"nothing in {run.folder} has the id {wanted!r}"
    raise UsageError(
        message, "give the id of a row, a pair, a fused row or a fork, as the listings print them"
    )


def pair_story(run: Run, pair: Pair) -> PairStory:
    """A pair with its operands and its fusion."""
    store = run.store
    left, right = (_operand(run, operand) for operand in pair.operands)
    return PairStory(
        pair=pair,
        left=left,
        right=right,
        fusion=store.fusions.get(pair.id),
        fused_rows=store.fused_rows.of(pair.id),
        forks=store.forks.of(pair.id),
        used_by=store.pairs.using(Operand(kind="fusion", id=pair.id)),
    )


def _row(run: Run, row: StoredRow) -> RowStory:
    store = run.store
    return RowStory(
        row=row,
        rating=store.ratings.get(row.id),
        second_rating=store.audits.get(row.id),
        score=store.scores.get(row.id),
        cluster=store.clusters.get(row.id),
        pairs=store.pairs.using(Operand(kind="row", id=row.id)),
        fused_rows=store.fused_rows.made_from(row.id),
        data_sets=store.data_sets.holding(row.id),
    )


def _fused_row(run: Run, fused: FusedRow) -> FusedRowStory:
    store = run.store
    fusion = store.fusions.get(fused.fusion_id)
    carried = fusion is not None and fusion.carried == fused.id
    return FusedRowStory(
        fused_row=fused,
        summed_loss=fused.summed_loss,
        made_from=[_source(run, row_id) for row_id in store.fused_rows.sources_of(fused.id)],
        used_by=store.pairs.using(Operand(kind="fusion", id=fused.fusion_id)) if carried else [],
        data_sets=store.data_sets.holding(fused.id),
    )


def _source(run: Run, row_id: str) -> Source:
    row, score = run.store.rows.get(row_id), run.store.scores.get(row_id)
    return Source(
        id=row_id,
        source=row.source if row else "",
        turns=row.turns if row else (),
        score=score.score if score else None,
        corrected=score.corrected if score else None,
    )


def _operand(run: Run, operand: Operand) -> OperandText | None:
    if operand.kind == "row":
        row = run.store.rows.get(operand.id)
        return OperandText(id=row.id, source=row.source, turns=row.turns) if row else None
    fusion = run.store.fusions.get(operand.id)
    carried = run.store.fused_rows.get(fusion.carried) if fusion and fusion.carried else None
    return OperandText(id=carried.id, strategy=carried.strategy, turns=carried.turns) if carried else None
