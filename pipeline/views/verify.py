"""Verify: prove that what a run folder holds is whole and fits together. Nothing in it is executed."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import takewhile

from ...records.errors import RunFolderError
from ...records.rows import content_hash
from ..run.run_folder import Run
from ..run.stage import USABLE, state_of
from .status import books_of


def verify(run: Run) -> list[str]:
    """Everything that is wrong with a run folder, a line each; an empty list means that it is sound.

    The store checks itself, every row's and every call's hash and that of all that each stage left are
    derived again, nothing may point to what is not there, and the books of every stage must balance.
    """
    return list(_problems(run))


def _problems(run: Run) -> Iterator[str]:
    damaged = list(run.store.problems())
    yield from damaged
    if damaged:  # what cannot be read cannot be looked at further
        return
    for row in run.store.rows.all():
        if content_hash(row.turns) != row.content:
            yield f"row {row.id}: its hash does not fit its text"
    yield from _orphans(run)
    for stage in run.stages:
        mark = run.store.marks.get(stage.name)
        if mark and run.store.digest(stage.tables) != mark.outputs:
            yield f"{stage.name}: its records have changed since it finished"
        books = books_of(run, stage)
        if not books.balanced:
            yield f"{stage.name}: the books do not balance: {books.model_dump_json()}"
        if mark:
            yield from stage.missing(run)
    if run.ledger_path.exists():
        yield from _calls(run)


def _orphans(run: Run) -> Iterator[str]:
    """What points to nothing.

    From the first stage that has to run again, records may well point to what has been replaced since.
    """
    settled = takewhile(lambda stage: state_of(run, stage) in USABLE, run.stages)
    for stage in settled:
        for orphan in run.store.orphans(stage.tables):
            yield f"{orphan.id}: {orphan.what}"


def _calls(run: Run) -> Iterator[str]:
    name = run.ledger_path.name
    try:
        with run.open_ledger(read_only=True) as ledger:
            yield from (f"{name}: {problem}" for problem in ledger.verify())
    except RunFolderError as error:
        yield f"{name}: {error}"
