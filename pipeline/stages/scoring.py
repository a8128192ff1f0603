"""Corrected scores of all rated rows, and how far the raters of a pool agree."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from ...formats.content import content_class
from ...records.books import Books
from ...records.conversation import Conversation, plain_text
from ...records.errors import RunFolderError
from ...records.ratings import Score
from ...records.vocabulary import ContentClass
from ...selection import (
    Audit,
    CorrectedScores,
    TransitionEstimate,
    correct_scores,
    estimate_transition,
    nearest_neighbours,
    row_features,
)
from ...selection.arrays import FloatArray, IntArray
from ..run.run_folder import Run
from ..run.stage import Result
from .raters import PoolRatings, rater_agreement
from .score import Flag, Move, MovedRow, ScoreFindings, ScoreSettings
from .vectors import embeddings

EXAMPLES = 10
BEGINNING = 120


@dataclass(frozen=True)
class _Rated:
    """The rated rows in the order of their ids, so that a pool in another order gives the same scores."""

    ids: list[str]
    turns: list[Conversation]
    scores: IntArray
    vectors: FloatArray
    ratings: PoolRatings


async def score(run: Run) -> Result[ScoreFindings]:
    """Fill `scores` for every rated row."""
    settings, rated = run.settings.of(ScoreSettings), _rated(run)
    with run.progress.task("looking for neighbours", None):
        found = nearest_neighbours(rated.vectors, settings.neighbours)
    lengths = text_lengths(rated.turns)
    audit = _audit_of(run, rated.ids)
    estimate = estimate_transition(
        rated.scores,
        found,
        rng=np.random.default_rng(settings.seed),
        method=settings.correction,
        features=row_features(rated.vectors, lengths),
        audit=audit,
    )
    corrected = correct_scores(rated.scores, found, estimate)
    texts = [plain_text(turns) for turns in rated.turns]
    scores = [
        _score(settings, rated, at, estimate, corrected, content_class(text)) for at, text in enumerate(texts)
    ]
    run.store.scores.replace(scores)
    agreement = rater_agreement(run, rated.ratings, rated.scores, estimate, corrected, lengths)
    findings = _findings(scores, estimate, corrected, texts).model_copy(
        update={"audited": len(audit.rows) if audit else 0, "agreement": agreement}
    )
    rows = run.store.rows.count()
    unrated = {"unrated": rows - len(scores)} if rows > len(scores) else {}
    return Result(Books(inputs=rows, outputs=len(scores), rejected=unrated), findings)


def _rated(run: Run) -> _Rated:
    rows = list(run.store.rows.scored())
    if not rows:
        message = f"no row of {run.folder} has a usable rating"
        raise RunFolderError(message, "see entp status --run DIR, and entp rate --retry-failed")
    return _Rated(
        ids=[row.id for row, _ in rows],
        turns=[row.turns for row, _ in rows],
        scores=np.array([score for _, score in rows]),
        vectors=embeddings(run)[[row.position for row, _ in rows]],
        ratings=[row.ratings for row, _ in rows],
    )


def text_lengths(conversations: Iterable[Conversation]) -> FloatArray:
    """log(1 + characters) of all that comes before the last turn, and of the last turn, (N, 2)."""
    counted = [
        [sum(len(turn.content) for turn in turns[:-1]), len(turns[-1].content)] for turns in conversations
    ]
    return np.log1p(np.array(counted, dtype=np.float64).reshape(-1, 2))


def _audit_of(run: Run, row_ids: list[str]) -> Audit | None:
    """The second scores of the rows, by position in `row_ids`; None where there are none."""
    second = {audit.row_id: audit.score for audit in run.store.audits.all() if audit.score is not None}
    rows = [at for at, row_id in enumerate(row_ids) if row_id in second]
    if not rows:
        return None
    return Audit(rows=np.array(rows), scores=np.array([second[row_ids[at]] for at in rows]))


def _score(
    settings: ScoreSettings,
    rated: _Rated,
    at: int,
    estimate: TransitionEstimate,
    corrected: CorrectedScores,
    label: ContentClass | None,
) -> Score:
    return Score(
        row_id=rated.ids[at],
        score=int(rated.scores[at]),
        corrected=int(corrected.score[at]),
        confidence=None if estimate.abstains else round(float(corrected.confidence[at]), 6),
        quality="LQ" if corrected.score[at] < settings.lq_below else "HQ",
        content_class=label,
    )


def _findings(
    scores: list[Score], estimate: TransitionEstimate, corrected: CorrectedScores, texts: list[str]
) -> ScoreFindings:
    moved = [at for at, score in enumerate(scores) if score.score != score.corrected]
    flow = Counter((scores[at].score, scores[at].corrected) for at in moved)
    surest = sorted(moved, key=lambda at: (-float(corrected.confidence[at]), scores[at].row_id))
    return ScoreFindings(
        transition=estimate.transition.round(4).tolist(),
        prior=estimate.prior.round(4).tolist(),
        method=estimate.method,
        abstains=estimate.abstains,
        neighbours_used=estimate.k,
        predictive_gain=round(estimate.gain, 4),
        entropy=round(estimate.entropy, 4),
        flags=[Flag(name=flag.name, sentence=flag.sentence) for flag in estimate.flags],
        moved=len(moved),
        flow=[Move(old=old, new=new, rows=rows) for (old, new), rows in sorted(flow.items())],
        examples=[MovedRow(score=scores[at], text=texts[at][:BEGINNING]) for at in surest[:EXAMPLES]],
        mean_confidence=None if estimate.abstains else round(float(corrected.confidence.mean()), 4),
        LQ=sum(score.quality == "LQ" for score in scores),
        HQ=sum(score.quality == "HQ" for score in scores),
        content_classes=Counter(score.content_class for score in scores if score.content_class),
        audited=0,
        agreement=[],
    )
