"""The fusions of a run: what is ready is claimed, fused by a worker, and stored by one writer."""

from __future__ import annotations

import asyncio
import os
import secrets
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress

from ...checkpoints import open_saver
from ...checkpoints.store import RunStore
from ...prompts.render import current_hashes
from ...records.vocabulary import VARIANTS
from ...records.work import Claim, Task
from ..run.crowd import for_each
from ..run.run_folder import Run
from ..run.settings import Asking, Places
from ..run.stage import Result
from ..run.wiring import OpenModel, open_model
from .fuse import FuseFindings, FuseSettings, books, chosen_pairs, failures, fusion_settings
from .fusion_worker import FusionWorker
from .operands import side_of
from .rate import first_of_each_kind
from .spending import Spent

# a claim that its worker has not renewed for so long is another's to take up
LEASE_S = 600.0


async def fuse(run: Run) -> Result[FuseFindings]:
    """Fill `fusions`, `fused_rows` and `lineage`, each fusion in one transaction.

    A fusion whose operands, settings and templates have not changed is kept as it is; any other is run, its
    calls answered from the ledger where they have been made before. Only what is no longer planned goes.
    """
    store = run.store
    tries = store.fusions.failed()
    more = 1 if run.scope.retry_failed else 0
    pairs = chosen_pairs(run)
    store.fusions.drop_unplanned()
    store.tasks.refill(
        Task(pair_id=pair.id, position=at, tries=tries[pair.id] + more if pair.id in tries else 1)
        for at, pair in enumerate(pairs)
    )
    spent = Spent()
    if pairs:
        async with open_model(run, "fuse") as opened:
            await _fuse_all(run, opened, len(pairs))
            spent = Spent(**vars(opened.counts))
    return Result(books(run), _findings(run, spent))


async def _fuse_all(run: Run, opened: OpenModel, number: int) -> None:
    keep = run.settings.of(Places).keep_checkpoints
    async with AsyncExitStack() as stack:
        saver = None
        # what a fusion left before has to go even where it leaves nothing now
        if keep != "none" or run.checkpoints.exists():
            saver = await stack.enter_async_context(open_saver(run.checkpoints))
        ablate = run.settings.of(FuseSettings).fusion_ablate
        worker = FusionWorker(opened.model, fusion_settings(run), saver, keep, ablate)
        with run.progress.task("fusing pairs", number) as done:
            queue = _Queue(run.store, worker, done)
            async with queue.held():
                await for_each(queue, queue.work_off, workers=run.settings.of(Asking).items_at_work)


class _Queue:
    """The tasks of a store as the workers of this process take them; it alone writes."""

    def __init__(self, store: RunStore, worker: FusionWorker, done: Callable[[int], None]) -> None:
        self._store = store
        self._worker = worker
        self._done = done
        self._holder = f"{os.getpid()}-{secrets.token_hex(4)}"
        self._at_work = 0
        self._changed = asyncio.Condition()
        self._templates = current_hashes(worker.profile)

    @asynccontextmanager
    async def held(self) -> AsyncIterator[None]:
        """Renew the claims of this process until the end of the block, and then give back what is left."""
        renewing = asyncio.create_task(self._renew())
        try:
            yield
        finally:
            renewing.cancel()
            with suppress(asyncio.CancelledError):
                await renewing
            self._store.tasks.release(self._holder)

    def __aiter__(self) -> _Queue:
        return self

    async def __anext__(self) -> Claim:
        """The next pair whose operands are at hand; waits for fusions at work that others build on."""
        async with self._changed:
            while True:
                claim = self._claimed()
                if claim is not None:
                    self._at_work += 1
                    return claim
                if not self._at_work:
                    raise StopAsyncIteration
                await self._changed.wait()

    async def work_off(self, claim: Claim) -> None:
        """Fuse one pair and keep what came of it."""
        ended = await self._worker.fuse(claim)
        self._store.fusions.finish(ended)
        self._done(1)
        async with self._changed:
            self._at_work -= 1
            self._changed.notify_all()

    def _claimed(self) -> Claim | None:
        """A pair to fuse; kept ones, and those that lack an operand, are settled on the way."""
        while tasks := self._store.tasks.claim(
            self._holder, 1, now_s=time.time(), until_s=time.time() + LEASE_S
        ):
            claim = self._claim_of(tasks[0])
            if self._is_kept(claim):
                self._store.tasks.settle(claim.pair.id)
            elif claim.left.turns and claim.right.turns:
                return claim
            else:
                self._store.fusions.finish(self._worker.without_operand(claim))
            self._done(1)
        return None

    def _claim_of(self, task: Task) -> Claim:
        pair = self._store.pairs.get(task.pair_id)
        assert pair is not None, "the queue is filled from the plan"
        left, right = (side_of(self._store, operand) for operand in pair.operands)
        return Claim(pair, task.tries, left, right)

    def _is_kept(self, claim: Claim) -> bool:
        """Whether a whole fusion is there that was asked for in the same way, with the templates of today."""
        there = self._store.fusions.standing(claim.pair.id)
        if there is None or not there.whole or there.asked != self._worker.asked(claim):
            return False
        return all(self._templates.get(name) == used for name, used in there.templates.items())

    async def _renew(self) -> None:
        while True:
            await asyncio.sleep(LEASE_S / 3)
            self._store.tasks.renew(self._holder, until_s=time.time() + LEASE_S)


def _findings(run: Run, spent: Spent) -> FuseFindings:
    losses, left = run.store.fused_rows.losses(), books(run).pending // VARIANTS
    return FuseFindings(
        pairs=run.store.fusions.count(),
        left=left,
        trial=run.scope.pairs is not None,
        fused_rows=sum(losses.values()),
        losses=losses,
        why=first_of_each_kind(failures(run)),
        spent=spent,
        overrides=run.store.fused_rows.overrides(),
    )
