"""Blend: data sets by name, each of the high-quality rows, the low-quality ones, the fused ones, or a mix."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from typing import Literal, NamedTuple, TypeAlias, get_args

from pydantic import Field, field_validator

from ...records.books import Books
from ...records.datasets import Member
from ...records.errors import UsageError
from ...records.hashing import tagged_hash
from ...records.lines import Line, Table
from ...records.stored import Stored
from ...records.vocabulary import Ablation, ContentClass, MemberKind, PairKind
from ..run.run_folder import Run
from ..run.settings import Ablated, Seeded
from ..run.stage import Findings, Result, Stage

Whole: TypeAlias = Literal["hq", "lq", "full", "entp"]
Source: TypeAlias = Whole | PairKind
SOURCES: tuple[Source, ...] = (*get_args(Whole), *get_args(PairKind))
DEFAULT_SET = "hq+entp"
FUSED: dict[Source, tuple[MemberKind, ...]] = {
    "entp": ("intra", "inter"),
    "intra": ("intra",),
    "inter": ("inter",),
}
WITHOUT = "-without-"

_PART = re.compile(rf"({'|'.join(SOURCES)})(?:@(?:([0-9]+(?:\.[0-9]+)?)%|([0-9]+)))?")


class SetPart(NamedTuple):
    """One source of a data set, and how much of it: all, a share in percent, or a number of rows."""

    source: Source
    percent: float | None = None
    rows: int | None = None

    def number(self, there: int) -> int:
        """How many of the rows that are there."""
        if self.rows is not None:
            return min(self.rows, there)
        return there if self.percent is None else round(there * self.percent / 100)


def parts_of(name: str) -> tuple[SetPart, ...]:
    """What a data set's name says: sources joined by `+`, each with `@SHARE%` or `@ROWS` where not all.

    A name that says nothing is a UsageError.
    """
    parts = []
    for text in name.split("+"):
        found = _PART.fullmatch(text)
        percent = float(found[2]) if found and found[2] else None
        if found is None or (percent is not None and percent > 100):
            message = f"{name!r} does not name a data set"
            remedy = (
                f"join {', '.join(SOURCES)} with +, each with a share or a number: hq+entp@50%, entp@1000"
            )
            raise UsageError(message, remedy)
        parts.append(SetPart(_source(found[1]), percent, int(found[3]) if found[3] else None))
    return tuple(parts)


def name_of(recipe: str, ablate: Ablation) -> str:
    """The name of the data set that a recipe (`hq+entp@50%`) makes in a run with a part switched off.

    One of fused rows says so in its name: `hq+entp@50%-without-spo`.
    """
    fused = any(part.source in FUSED for part in parts_of(recipe)) if ablate != "none" else False
    return f"{recipe}{WITHOUT}{ablate}" if fused else recipe


def _source(text: str) -> Source:
    return next(source for source in SOURCES if source == text)


class BlendSettings(Seeded, Ablated):
    """Which data sets are made, and of which rows."""

    sets: tuple[str, ...] = Field(
        default=(DEFAULT_SET,),
        description="data set to make: hq, lq, full, entp, intra, inter or several joined by +, each with "
        "@SHARE% or @ROWS: hq+entp@50%, entp@1000",
    )
    max_loss: int | None = Field(default=None, ge=0, description="leave out fused rows of a higher loss")
    hq_exclude: tuple[ContentClass, ...] = Field(
        default=(), description="content classes to leave out of the high-quality rows too, as the paper does"
    )

    @field_validator("sets")
    @classmethod
    def _named(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        for name in names:
            parts_of(name)
        return names


class BlendedSet(Stored):
    """A data set in numbers: rows by kind, and fused rows that it left out by reason."""

    name: str
    rows: int
    kinds: dict[MemberKind, int]
    left_out: dict[str, int]


class BlendFindings(Findings):
    """The data sets that were made."""

    sets: list[BlendedSet]


async def blend(run: Run) -> Result[BlendFindings]:
    """Make every data set of the settings, and drop those that an earlier blend made and nobody names now."""
    settings = run.settings.of(BlendSettings)
    made = []
    with run.store.transaction():
        names = {recipe: name_of(recipe, settings.ablate) for recipe in settings.sets}
        run.store.data_sets.retain([*names.values()], "blend")
        for recipe, name in names.items():
            members, left_out = members_of(run, recipe)
            run.store.data_sets.replace(name, members)
            kinds = Counter(member.kind for member in members)
            made.append(BlendedSet(name=name, rows=len(members), kinds=kinds, left_out=left_out))
    rejected: Counter[str] = Counter()
    for found in made:
        rejected.update(found.left_out)
    rows = sum(found.rows for found in made)
    books = Books(inputs=rows + rejected.total(), outputs=rows, rejected=dict(sorted(rejected.items())))
    return Result(books, BlendFindings(sets=made))


def members_of(run: Run, recipe: str) -> tuple[list[Member], dict[str, int]]:
    """The rows of a data set in order, and why fused rows that it could have had are not in it.

    Rows of the pool stand in its order, fused ones in that of the plan. Draws go by a hash of id and seed, so
    that a larger share of the same source holds the smaller one.
    """
    settings = run.settings.of(BlendSettings)
    taken: dict[str, MemberKind] = {}
    left_out: Counter[str] = Counter()
    for part in parts_of(recipe):
        there, why = (
            _fused(run, part.source) if part.source in FUSED else (_of_pool(run, part.source), Counter())
        )
        drawn = _drawn(there, part, settings.seed)
        left_out += why
        if len(drawn) < len(there):
            left_out["not drawn"] += len(there) - len(drawn)
        taken |= drawn
    name = name_of(recipe, settings.ablate)
    members = [
        Member(name=name, position=at, kind=kind, id=row_id, made_by="blend")
        for at, (row_id, kind) in enumerate(taken.items())
    ]
    return members, dict(left_out)


def _of_pool(run: Run, source: Source) -> dict[str, MemberKind]:
    """Rows of the pool by quality; `full` is both."""
    excluded = run.settings.of(BlendSettings).hq_exclude
    rows: list[tuple[int, str, MemberKind]] = []
    if source in ("hq", "full"):
        high = run.store.scores.of_quality("HQ")
        rows += [(row.position, row.row_id, "HQ") for row in high if row.content_class not in excluded]
    if source in ("lq", "full"):
        rows += [(row.position, row.row_id, "LQ") for row in run.store.scores.of_quality("LQ")]
    return {row_id: kind for _, row_id, kind in sorted(rows)}


def _fused(run: Run, source: Source) -> tuple[dict[str, MemberKind], Counter[str]]:
    """The fused rows that may take part, and why others do not.

    One that a later fusion of its cluster took up is contained in that fusion's rows, and is left out where
    one of these is good enough.
    """
    max_loss = run.settings.of(BlendSettings).max_loss
    candidates = [row for row in run.store.fused_rows.candidates() if row.kind in FUSED[source]]
    good = {row.id for row in candidates if max_loss is None or row.loss <= max_loss}
    fusions = {row_id.rpartition("-")[0] for row_id in good}
    there: dict[str, MemberKind] = {}
    why: Counter[str] = Counter()
    for row in candidates:
        if row.carried_by in fusions:
            why["carried into a later fusion"] += 1
        elif row.id not in good:
            why["loss above --max-loss"] += 1
        else:
            there[row.id] = row.kind
    return there, why


def _drawn(there: dict[str, MemberKind], part: SetPart, seed: int) -> dict[str, MemberKind]:
    """The rows of one part, in the order they were in."""
    number = part.number(len(there))
    if number == len(there):
        return there
    wanted = set(sorted(there, key=lambda row_id: tagged_hash("blend", [seed, row_id]))[:number])
    return {row_id: kind for row_id, kind in there.items() if row_id in wanted}


def _idle(run: Run) -> tuple[str, ...]:
    """The setting of ablations, where it names nothing."""
    return ("ablate",) if run.settings.of(BlendSettings).ablate == "none" else ()


def _so_far(run: Run) -> Books:
    return Books()


def _lines(found: BlendFindings) -> Iterator[Line]:
    header = ("data set", "rows", *get_args(MemberKind), "left out")
    rows: list[tuple[object, ...]] = [
        (
            made.name,
            made.rows,
            *(made.kinds.get(kind, 0) for kind in get_args(MemberKind)),
            sum(made.left_out.values()),
        )
        for made in found.sets
    ]
    yield Table(header, rows)


STAGE = Stage(
    name="blend",
    does="make data sets of high-quality, low-quality and fused rows",
    example="entp blend --run runs/first --sets hq+entp@50% --sets entp --max-loss 1",
    settings=BlendSettings,
    findings=BlendFindings,
    lines=_lines,
    work=blend,
    so_far=_so_far,
    reads=("score", "fuse"),
    tables=("datasets",),
    idle=_idle,
)
