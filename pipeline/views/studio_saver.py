"""The checkpoints of a run, as LangGraph's server opens them (langgraph.json); importing it opens nothing."""

from __future__ import annotations

import os
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

from langgraph.checkpoint.base import BaseCheckpointSaver

from ...checkpoints import CHECKPOINTS_FILE, open_saver


def open_run_saver() -> AbstractAsyncContextManager[BaseCheckpointSaver[Any]]:
    """A saver over the checkpoints of the run folder in ENTP_RUN, else of the current folder."""
    return open_saver(Path(os.environ.get("ENTP_RUN", "")) / CHECKPOINTS_FILE)
