"""Linear algebra on one thread where its last digits decide, or where threads cost more than they save."""

from __future__ import annotations

import importlib
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from typing import Any


def one_thread(*modules: str) -> AbstractContextManager[Any]:
    """Within it, numerical libraries run on one thread: the same sums in the same order on any setting.

    Only libraries that are loaded can be limited, so name the `modules` that will load another.
    """
    # slow to load; --help must not wait for it
    from threadpoolctl import threadpool_limits

    for module in modules:
        importlib.import_module(module)
    limits: AbstractContextManager[Any] = threadpool_limits(limits=1)
    return limits


def one_thread_each() -> ThreadPoolExecutor:
    """As many threads as torch would use, each of which computes on itself alone.

    Threads that wait for each other at the end of every product wait long where others need the processor.
    """
    import torch  # heavy: --help must not wait for it
    from threadpoolctl import threadpool_limits

    # the limit is a thread's own, and ends with it
    return ThreadPoolExecutor(torch.get_num_threads(), initializer=threadpool_limits, initargs=(1, "openmp"))
