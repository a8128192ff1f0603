"""Select: cluster the low-quality rows, choose representatives, plan the pairs (Section 3.2, Algorithm 1)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from pydantic import Field

from ...records.books import Books
from ...records.lines import Line
from ...records.vocabulary import ContentClass, Fold, PairKind
from ..run.run_folder import Run
from ..run.settings import Ablated, Seeded
from ..run.stage import Findings, Result, Stage


class SelectSettings(Seeded, Ablated):
    """Which low-quality rows take part, how they are clustered, and which pairs are planned."""

    include: tuple[ContentClass, ...] = Field(
        default=(), description="content classes to fuse anyway; math, code and table are set aside"
    )
    clusterer: Literal["one_hop", "hdbscan"] = Field(default="one_hop", description="how rows are clustered")
    similarity: float = Field(default=0.9, gt=0, le=1, description="least cosine to a cluster's centre")
    alpha: float = Field(
        default=0.2, ge=0, le=1, description="weight on relevance in choosing a sub-cluster's next row (MMR)"
    )
    representatives: int = Field(default=2, ge=1, description="rows that stand for a sub-cluster")
    singletons: Literal["pair", "skip"] = Field(
        default="pair", description="whether clusters of one row take part in inter pairs"
    )
    kinds: tuple[PairKind, ...] = Field(default=("intra", "inter"), description="kinds of pairs to plan")
    intra: int | None = Field(
        default=None,
        gt=0,
        description="intra pairs to plan, drawn at random by the seed; clusters are drawn whole, so up to a "
        "cluster more; by default all",
    )
    inter: int | None = Field(
        default=None, gt=0, description="inter pairs to plan, drawn at random by the seed; by default all"
    )
    rows: int | None = Field(
        default=None,
        gt=0,
        description="fused rows to plan pairs for, drawn at random by the seed; fewer come where variants "
        "fail or --max-loss leaves rows out; by default all pairs are planned",
    )
    fold: Fold = Field(default="left", description="how a cluster is merged into one")


class SelectFindings(Findings):
    """Clusters, representatives and pairs in numbers."""

    clusters: int
    clusters_of_two_or_more: int
    largest_cluster: int
    representatives: int
    singletons_skipped: int
    intra_pairs: int
    inter_pairs: int
    possible: dict[PairKind, int] = Field(
        default={}, description="pairs that there could be, of which those above were drawn"
    )
    most_rows: int = Field(default=0, description="fused rows for data sets, where no fusion fails")
    left_over: list[str] = Field(description="representatives without an inter partner")
    set_aside: dict[str, int]
    nearest_similarity: dict[str, float] = Field(
        description="quantiles of each row's cosine to its nearest neighbour"
    )
    share_within: float = Field(description="share of rows with a neighbour at the threshold or above")
    warning: str | None = None


async def _work(run: Run) -> Result[SelectFindings]:
    from .selecting import select

    return await select(run)


def _idle(run: Run) -> tuple[str, ...]:
    """The setting of ablations, where it is about what comes after the plan."""
    return () if run.settings.of(SelectSettings).ablate == "progressive" else ("ablate",)


def possible_pairs(run: Run) -> int:
    """How many pairs there could be, of which those of the plan were drawn."""
    mark = run.store.marks.get("select")
    possible = sum(STAGE.findings_of(mark).possible.values()) if mark else 0
    return possible or run.store.pairs.count()


def _so_far(run: Run) -> Books:
    low = sum(1 for _ in run.store.scores.of_quality("LQ"))
    return Books(inputs=low, pending=low)


def _lines(found: SelectFindings) -> Iterator[Line]:
    for share, value in found.nearest_similarity.items():
        yield f"{float(share):.0%} of rows have their nearest neighbour at or below {value}"
    yield (
        f"{found.clusters} clusters, {found.clusters_of_two_or_more} of two rows or more "
        f"(largest {found.largest_cluster}), {found.representatives} representatives"
    )
    if found.singletons_skipped:
        yield f"{found.singletons_skipped} clusters of one row were left out of the pairs"
    planned = {"intra": found.intra_pairs, "inter": found.inter_pairs}
    if planned == found.possible:
        pairs = ", ".join(f"{number} {kind} pairs" for kind, number in planned.items())
    else:
        of = (f"{planned[kind]} of {number} {kind} pairs" for kind, number in found.possible.items())
        pairs = f"drawn at random: {', '.join(of)}"
    yield f"{pairs}; at most {found.most_rows} fused rows"
    if found.left_over:
        yield f"{len(found.left_over)} representatives without an inter partner"
    if found.warning:
        yield f"warning: {found.warning}"


STAGE = Stage(
    name="select",
    does="cluster the low-quality rows, choose representatives, plan pairs",
    example="entp select --run runs/first --similarity 0.85",
    settings=SelectSettings,
    findings=SelectFindings,
    lines=_lines,
    work=_work,
    so_far=_so_far,
    reads=("embed", "score"),
    tables=("clusters", "pairs"),
    idle=_idle,
)
