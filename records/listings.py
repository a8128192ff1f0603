"""What the listings of a run show: a few columns of a table, joined with others."""

from __future__ import annotations

from typing import Literal, NamedTuple

from .fusions import Recipe
from .stored import JsonObject, Stored
from .vocabulary import ContentClass, Quality


class ListedRow(Stored):
    """A row of the pool with its score; the last four are None where it has none."""

    id: str
    source: str
    score: int | None
    corrected: int | None
    quality: Quality | None
    content_class: ContentClass | None


class ScoredRow(NamedTuple):
    """Where a row of one quality lies among all rows, and the class of its content."""

    row_id: str
    position: int
    content_class: ContentClass | None


class ListedAudit(Stored):
    """A row that was rated twice: both scores, or why there is no second one."""

    row_id: str
    rater: str
    first: int | None
    second: int | None
    reason: str | None


class ListedFusedRow(Stored):
    """A fused row without its text."""

    id: str
    strategy: str
    status: Literal["fused", "failed"]
    loss: int | None
    templates: list[str]
    reason: str | None


class ListedFork(Stored):
    """A fork without its text; `point` is VARIANT:CYCLE:ATTEMPT."""

    id: str
    fusion_id: str
    point: str
    changes: JsonObject
    model: str
    status: Literal["fused", "failed"]
    loss: int | None
    created: str


class ListedDataSet(Stored):
    """A data set: how many rows it has, and what made it."""

    name: str
    rows: int
    made_by: str


class MadeAlike(NamedTuple):
    """How many fusions were made in one way, and whether any variant of theirs failed."""

    recipe: Recipe | None
    templates: dict[str, str]
    failed: bool
    number: int


class FusionTotals(NamedTuple):
    """What a number of fusions took together: calls and tokens, those of all variants included."""

    fusions: int
    calls: int
    prompt_tokens: int
    completion_tokens: int


class Orphan(NamedTuple):
    """An entry that points to what is not there: its table, its id, and what is wrong."""

    table: str
    id: str
    what: str
