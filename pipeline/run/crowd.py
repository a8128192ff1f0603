"""Many items at once, a bounded number at a time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator
from typing import TypeVar

T = TypeVar("T")


async def for_each(
    items: Iterable[T] | AsyncIterator[T], work: Callable[[T], Awaitable[None]], *, workers: int
) -> None:
    """Await `work(item)` for every item, `workers` at a time, started in order.

    The next item of an asynchronous iterator may be asked for by several workers at once. The first error
    stops the others and is raised as it is; items not yet started stay unstarted.
    """
    waiting = items if isinstance(items, AsyncIterator) else _one_by_one(iter(items))

    async def worker() -> None:
        async for item in waiting:
            await work(item)

    try:
        async with asyncio.TaskGroup() as group:
            for _ in range(workers):
                group.create_task(worker())
    except BaseExceptionGroup as errors:
        raise errors.exceptions[0] from None


async def _one_by_one(items: Iterator[T]) -> AsyncIterator[T]:
    # it never waits, so that no two workers are ever inside it at once
    for item in items:
        yield item
