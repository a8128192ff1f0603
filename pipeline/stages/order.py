"""All stages of a run, in order, and how a run of these stages is opened."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from importlib import import_module
from pathlib import Path
from typing import Any

from ..run.progress import Progress
from ..run.run_folder import Run, look_at_folder, open_folder
from ..run.settings import WHOLE, Scope
from ..run.stage import AnyStage

# the modules of the stages, in the order of a run; each holds its declaration as STAGE
MODULES = (
    "load",
    "rate",
    "embed",
    "score",
    "select",
    "fuse",
    "blend",
    "export",
)
STAGES: tuple[AnyStage, ...] = tuple(import_module(f".{name}", __package__).STAGE for name in MODULES)


def stage_named(name: str) -> AnyStage:
    """The stage of a name."""
    return next(stage for stage in STAGES if stage.name == name)


def open_run(
    folder: Path,
    changes: Mapping[str, Any] | None = None,
    *,
    scope: Scope = WHOLE,
    progress: Progress | None = None,
    key: str | None = None,
    create: bool = False,
    keep_settings: bool = True,
) -> AbstractContextManager[Run]:
    """Open a run for work; see `open_folder`."""
    return open_folder(
        folder,
        STAGES,
        changes,
        scope=scope,
        progress=progress,
        key=key,
        create=create,
        keep_settings=keep_settings,
    )


def look_at_run(
    folder: Path,
    changes: Mapping[str, Any] | None = None,
    progress: Progress | None = None,
    *,
    scope: Scope = WHOLE,
) -> AbstractContextManager[Run]:
    """Open a run for a look; see `look_at_folder`."""
    return look_at_folder(folder, STAGES, changes, scope=scope, progress=progress)
