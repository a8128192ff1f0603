"""All stages of a run, in order."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from importlib import import_module

from ..run.run_folder import Run
from ..run.stage import Result, Stage
from .embed import embeddings_exist
from .export import target_exists
from .load import pool_unchanged

MODEL_SETTINGS = ("model", "gguf", "profile", "reply_mode", "max_tokens")


def _work(name: str) -> Callable[[Run], Awaitable[Result]]:
    """The function of a stage, in the module of its name; imported when it runs, since some need seconds."""

    async def work(run: Run) -> Result:
        result: Result = await getattr(import_module(f".{name}", __package__), name)(run)
        return result

    return work


STAGES: tuple[Stage, ...] = (
    Stage(
        name="load",
        does="read the pool's files; what is no row goes to the rejected list",
        reads=(),
        settings=("strict", "max_row_bytes"),
        found="SELECT id, content, pool_ratings FROM rows ORDER BY position",
        work=_work("load"),
        intact=pool_unchanged,
    ),
    Stage(
        name="rate",
        does="rate each row; the pool's own ratings count, the model is asked for the rest",
        reads=("load",),
        settings=("rater", "rating_scale", "audit", "seed", *MODEL_SETTINGS),
        found="SELECT ratings.row_id, ratings.score, audits.score AS second FROM ratings "
        "LEFT JOIN audits USING (row_id) ORDER BY ratings.row_id",
        work=_work("rate"),
        retries=True,
    ),
    Stage(
        name="embed",
        does="encode each row as a unit vector",
        reads=("load",),
        settings=("encoder",),
        intact=embeddings_exist,
        found="SELECT * FROM embedded ORDER BY position",
        work=_work("embed"),
    ),
    Stage(
        name="score",
        does="correct the scores, part low from high quality, label content",
        reads=("load", "rate", "embed"),
        settings=("correction", "neighbours", "lq_below", "seed"),
        found="SELECT * FROM scores ORDER BY row_id",
        work=_work("score"),
    ),
    Stage(
        name="select",
        does="cluster the low-quality rows, choose representatives, plan pairs",
        reads=("embed", "score"),
        settings=("exclude", "clusterer", "similarity", "kinds", "fold", "seed"),
        found="SELECT * FROM pairs ORDER BY position",
        work=_work("select"),
    ),
    Stage(
        name="fuse",
        does="fuse each pair into up to three rows",
        reads=("load", "select"),
        settings=("pairs", "budget", "temperature", "domain_temperature", "seed", *MODEL_SETTINGS),
        found="SELECT id, status, turns FROM fused_rows ORDER BY id",
        work=_work("fuse"),
        retries=True,
    ),
    Stage(
        name="blend",
        does="put high-quality and fused rows together",
        reads=("score", "fuse"),
        settings=("blend_percent", "blend_kinds", "max_loss", "seed"),
        found="SELECT * FROM blend ORDER BY position",
        work=_work("blend"),
    ),
    Stage(
        name="export",
        does="write the training set as a file",
        reads=("blend",),
        settings=("form", "out"),
        found="SELECT path FROM exports ORDER BY path",
        work=_work("export"),
        intact=target_exists,
    ),
)


def stage_named(name: str) -> Stage:
    """The stage of a name."""
    return next(stage for stage in STAGES if stage.name == name)
