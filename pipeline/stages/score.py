"""Score: correct the noisy scores, part low from high quality, label content (Sections 3.1, C.1 and G)."""

from __future__ import annotations

from collections.abc import Iterator

from pydantic import Field

from ...records.books import Books
from ...records.errors import UsageError
from ...records.lines import Line, Table
from ...records.ratings import Score
from ...records.stored import Stored
from ...records.vocabulary import ContentClass, CorrectionMethod
from ..run.run_folder import Run
from ..run.settings import Seeded
from ..run.stage import Findings, Result, Stage

WIDTH = 60


class ScoreSettings(Seeded):
    """How scores are corrected, and where low quality ends."""

    correction: CorrectionMethod = Field(
        default="auto", description="how scores are corrected; auto abstains where it cannot be trusted"
    )
    neighbours: int = Field(default=20, ge=2, description="nearest neighbours of a row to look at")
    lq_below: int = Field(default=3, ge=1, le=5, description="lowest corrected score of the high-quality set")


class Flag(Stored):
    """A reason not to trust the correction."""

    name: str
    sentence: str


class Move(Stored):
    """How many rows went from one score to another."""

    old: int
    new: int
    rows: int


class MovedRow(Stored):
    """A row whose score was corrected, and the beginning of its text."""

    score: Score
    text: str


class RaterPair(Stored):
    """How far two raters agree over the rows that both have scored."""

    left: str
    right: str
    rows: int
    kappa: float = Field(description="quadratic-weighted")
    spearman: float
    length_out: float = Field(
        description="Spearman's correlation with the lengths of prompt and answer taken out"
    )


class ScoreFindings(Findings):
    """T and p, whether they are believed, and what the correction did."""

    transition: list[list[float]] = Field(description="T[i][j] = P(rated j | true i); rows sum to 1")
    prior: list[float] = Field(description="p[i] = P(true i)")
    method: str
    abstains: bool
    neighbours_used: int
    predictive_gain: float
    entropy: float
    flags: list[Flag]
    moved: int
    flow: list[Move]
    examples: list[MovedRow] = Field(description="the surest first")
    mean_confidence: float | None
    LQ: int
    HQ: int
    content_classes: dict[ContentClass, int]
    audited: int
    agreement: list[RaterPair]


async def _work(run: Run) -> Result[ScoreFindings]:
    from .scoring import score

    return await score(run)


def _check(run: Run) -> None:
    if run.settings.of(ScoreSettings).correction == "audited" and not run.store.audits.tally().rated:
        message = "--correction audited needs second ratings, and there are none"
        raise UsageError(message, "make some with entp rate --audit N, or take another --correction")


def _so_far(run: Run) -> Books:
    rows = run.store.rows.count()
    return Books(inputs=rows, pending=rows)


def _lines(found: ScoreFindings) -> Iterator[Line]:
    yield f"method {found.method}, {found.audited} rows rated twice"
    yield "T: P(rated j | true i), and p: P(true i)"
    header = ("", *(f"rated {j}" for j in range(len(found.prior))), "p")
    yield Table(
        header,
        [
            (f"true {i}", *(f"{value:.2f}" for value in line), f"{found.prior[i]:.2f}")
            for i, line in enumerate(found.transition)
        ],
    )
    if found.abstains:
        yield "The correction abstains: the scores stay as rated, because"
    for flag in found.flags:
        yield f"- {flag.sentence}"
    yield f"{found.moved} scores moved; LQ {found.LQ}, HQ {found.HQ}"
    for move in found.flow:
        yield f"  {move.rows} from {move.old} to {move.new}"
    yield from _details(found)


def _details(found: ScoreFindings) -> Iterator[Line]:
    if found.examples:
        yield "the surest of them, with the beginning of the text:"
        examples: list[tuple[object, ...]] = [
            (
                moved.score.row_id,
                moved.score.score,
                moved.score.corrected,
                moved.score.confidence,
                " ".join(moved.text.split())[:WIDTH],
            )
            for moved in found.examples
        ]
        yield Table(("row", "rated", "corrected", "confidence", "text"), examples)
    if found.agreement:
        yield "agreement of raters: quadratic-weighted kappa, Spearman, Spearman with lengths taken out"
        pairs: list[tuple[object, ...]] = [tuple(pair.model_dump().values()) for pair in found.agreement]
        yield Table(("rater", "other", "rows", "kappa", "spearman", "length out"), pairs)
    for name, rows in found.content_classes.items():
        yield f"{rows} rows are {name}"


STAGE = Stage(
    name="score",
    does="correct the scores, part low from high quality, label content",
    example="entp score --run runs/first --json",
    settings=ScoreSettings,
    findings=ScoreFindings,
    lines=_lines,
    work=_work,
    so_far=_so_far,
    reads=("load", "rate", "embed"),
    tables=("scores",),
    check=_check,
)
