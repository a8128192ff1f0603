"""Fuse: run the fusion graph over the planned pairs (Section 3.3, Algorithm 2)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import fields

from pydantic import Field

from ...graph.state import FusionSettings, calls_of_a_fusion
from ...records.books import Books
from ...records.errors import UsageError
from ...records.lines import Line, Table
from ...records.pairs import Pair
from ...records.vocabulary import BUDGET, DOMAIN_TEMPERATURE, TEMPERATURE, VARIANTS, FusionAblation, Tie
from ..run.run_folder import Run
from ..run.settings import Ablated, ModelSettings, Seeded
from ..run.stage import Findings, Result, Stage
from .rate import by_kind
from .spending import Spent


class FuseSettings(ModelSettings, Seeded, Ablated):
    """How every fusion is made."""

    budget: int = Field(default=BUDGET, ge=1, le=10, description="most attempts a cycle, the first included")
    tie: Tie = Field(
        default="terms", description="of attempts of equal loss: fewest missing terms, or the paper's draw"
    )
    temperature: float = Field(
        default=TEMPERATURE, ge=0, le=2, description="of the fusion's operators but domain analysis"
    )
    domain_temperature: float = Field(
        default=DOMAIN_TEMPERATURE, ge=0, le=2, description="for domain analysis"
    )

    @property
    def fusion_ablate(self) -> FusionAblation:
        """The part of every fusion that is switched off; `progressive` leaves each fusion as it is."""
        return "none" if self.ablate == "progressive" else self.ablate


class FuseFindings(Findings):
    """What the pairs gave."""

    pairs: int = Field(description="pairs that have been fused, or have failed")
    left: int = Field(description="pairs of the plan that were not in the scope of the command")
    trial: bool = Field(default=False, description="--pairs took those of the shortest texts")
    fused_rows: int
    losses: dict[int, int] = Field(description="fused rows by the loss that is left")
    spent: Spent
    overrides: int = Field(description="how often a symbolic check overruled the model's word")


async def _work(run: Run) -> Result[FuseFindings]:
    from .fusing import fuse

    return await fuse(run)


def fusion_settings(run: Run) -> FusionSettings:
    """What the run's settings decide about every fusion."""
    settings = run.settings.of(FuseSettings)
    return FusionSettings(**{field.name: getattr(settings, field.name) for field in fields(FusionSettings)})


def calls_of_one(run: Run) -> tuple[int, int]:
    """The least and the most calls of a fusion, re-asks not counted."""
    settings = run.settings.of(FuseSettings)
    return calls_of_a_fusion(settings.budget, settings.fusion_ablate)


def chosen_pairs(run: Run) -> list[Pair]:
    """The pairs in the scope of this command, operands before what uses them.

    With `--pairs N` it is N of the plan, half of each kind where there are as many: those of two rows before
    those of earlier fusions, short texts first, so that a trial is cheap. It is not a random sample; what
    `select` draws by `--intra`, `--inter` and `--rows` is.
    """
    limit = run.scope.pairs
    if run.scope.only:
        return _with_operands(run, run.scope.only)
    if limit is None:
        return sorted(run.store.pairs.all(), key=lambda pair: (pair.depth, pair.position))
    planned = sorted(
        run.store.pairs.with_lengths(), key=lambda found: (found[0].depth, found[1], found[0].position)
    )
    intra, inter = ([pair for pair, _ in planned if pair.kind == kind] for kind in ("intra", "inter"))
    few_inter = min(len(inter), max(limit // 2, limit - len(intra)))
    return intra[: limit - few_inter] + inter[:few_inter]


def _with_operands(run: Run, wanted: Iterable[str]) -> list[Pair]:
    """Planned pairs by their ids, each after those whose fusions it builds on."""
    found: dict[str, Pair] = {}
    left = [*wanted]
    while left:
        pair = run.store.pairs.get(each := left.pop())
        if pair is None:
            message = f"no pair {each!r} is planned"
            raise UsageError(message, f"see entp list pairs --run {run.folder}")
        found[each] = pair
        left += [operand.id for operand in pair.operands if operand.kind == "fusion"]
    return sorted(found.values(), key=lambda pair: (pair.depth, pair.position))


def failures(run: Run) -> list[str]:
    """Why variants failed; that of a fusion that failed as a whole counts for all its variants."""
    whole = [reason for reason in run.store.fusions.failure_reasons() for _ in range(VARIANTS)]
    return [*run.store.fused_rows.failure_reasons(), *whole]


def books(run: Run) -> Books:
    """The variants of all planned pairs: fused, failed, or not begun yet."""
    planned = VARIANTS * run.store.pairs.count()
    fused = sum(run.store.fused_rows.losses().values())
    failed = by_kind(failures(run))
    return Books(
        unit="variants",
        inputs=planned,
        outputs=fused,
        failed=failed,
        pending=planned - fused - sum(failed.values()),
    )


def _check(run: Run) -> None:
    """Refuse to make some of the pairs in one way where others stand that were made in another.

    A data set of both would be named after one of them.
    """
    if run.scope.pairs is None and not run.scope.only:
        return
    now, chosen = run.settings.of(FuseSettings).fusion_ablate, {pair.id for pair in chosen_pairs(run)}
    others = (pair.id for pair in run.store.pairs.all() if pair.id not in chosen)
    found = {made.recipe.ablate for made in run.store.fusions.made_alike(others) if made.recipe} - {now}
    if found:
        message = f"--pairs would leave fusions made with --ablate {min(found)} beside those with {now}"
        raise UsageError(message, "leave out --pairs, or give this comparison a folder of its own with --run")


def _idle(run: Run) -> tuple[str, ...]:
    """The setting of ablations, where it changes nothing about a fusion."""
    return ("ablate",) if run.settings.of(FuseSettings).fusion_ablate == "none" else ()


def _left(run: Run) -> bool:
    there = set(run.store.fusions.ids())
    return any(pair.id not in there for pair in chosen_pairs(run))


def _lines(found: FuseFindings) -> Iterator[Line]:
    yield f"{found.pairs} pairs gave {found.fused_rows} fused rows"
    if found.left:
        yield f"{found.left} pairs are left; a command for the whole plan goes on with them"
    if found.trial:
        yield "--pairs takes short texts first: a cheap trial, not a sample of all pairs"
    if found.losses:
        yield Table(("loss left", "rows"), list(found.losses.items()))
    yield from found.spent.lines()
    yield f"{found.overrides} times a symbolic check overruled the model"


STAGE = Stage(
    name="fuse",
    does="fuse each pair into up to three rows",
    example="entp fuse --run runs/first --pairs 20 --dry-run",
    settings=FuseSettings,
    findings=FuseFindings,
    lines=_lines,
    work=_work,
    so_far=books,
    reads=("load", "select"),
    tables=("fusions", "fused_rows", "lineage"),
    asks=True,
    check=_check,
    idle=_idle,
    left=_left,
    listed="entp list fusions, entp list fused",
    heeds=("keep_checkpoints",),
    scope=("pairs",),
)
