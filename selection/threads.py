"""Linear algebra on one thread where its last digits decide."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Any

from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]  # ships no types


def one_thread() -> AbstractContextManager[Any]:
    """Within it, matrix products run on one thread: the same sums in the same order on any setting.

    The estimator's matrices are small, so this costs nothing.
    """
    limits: AbstractContextManager[Any] = threadpool_limits(limits=1)
    return limits
