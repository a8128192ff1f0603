"""Linear algebra on one thread where its last digits decide, or where threads cost more than they save."""

from __future__ import annotations

import importlib
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
