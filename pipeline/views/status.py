"""Status: where a run stands, and whether its books balance."""

from __future__ import annotations

from ...records.books import Books
from ...records.calls import Totals
from ...records.stored import JsonObject, Stored
from ..run.run_folder import Run
from ..run.settings import ModelSettings
from ..run.stage import AnyStage, State, state_of
from ..stages.embed import EmbedSettings


class StageStatus(Stored):
    """Where one stage stands."""

    name: str
    does: str
    state: State


class Status(Stored):
    """Where a run stands; `overrides` counts how often a symbolic check overruled the model's word."""

    run: str
    model: str | None
    encoder: str
    settings: JsonObject
    overrides: int
    stages: list[StageStatus]
    books: dict[str, Books]
    balanced: bool


def status(run: Run) -> Status:
    """The state of each stage and its books; `balanced` says whether all of them balance."""
    books = {stage.name: books_of(run, stage) for stage in run.stages}
    return Status(
        run=str(run.folder),
        model=run.settings.of(ModelSettings).model,
        encoder=run.settings.of(EmbedSettings).encoder,
        settings=run.settings.whole(),
        overrides=run.store.fused_rows.overrides(),
        stages=[
            StageStatus(name=stage.name, does=stage.does, state=state_of(run, stage)) for stage in run.stages
        ],
        books=books,
        balanced=all(each.balanced for each in books.values()),
    )


def spent(run: Run) -> list[Totals]:
    """What this run's calls came to, by stage, model and operator; other runs may share the ledger."""
    if not run.ledger_path.exists():
        return []
    with run.open_ledger(read_only=True) as ledger:
        return ledger.totals(run.store.run_id)


def books_of(run: Run, stage: AnyStage) -> Books:
    """The books of a stage: as closed by its mark, else as they stand."""
    mark = run.store.marks.get(stage.name)
    return mark.books if mark else stage.so_far(run)
