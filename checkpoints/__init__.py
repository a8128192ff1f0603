"""What a run keeps: stores behind interfaces, opened by where they are. The ledger of calls is the truth.

`open_store`, `open_ledger` and `open_saver` are the only ways in.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from ..records.errors import RunFolderError, UsageError
from ..records.vocabulary import KeepCheckpoints

if TYPE_CHECKING:
    from langgraph.checkpoint.base import BaseCheckpointSaver

    from .ledger import Ledger
    from .store import RunStore

RUN_FILE = "run.db"
LEDGER_FILE = "calls.db"
CHECKPOINTS_FILE = "checkpoints.db"

# names of fusions live in a space of their own, so that no other program's UUID5 meets them
_FUSIONS = uuid.uuid5(uuid.NAMESPACE_URL, "https://arxiv.org/abs/2510.23160")
# a drive has one letter, a kind of address more
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+):(.*)", re.DOTALL)


class Pruned(NamedTuple):
    """How much was taken out of a run's checkpoints, or would be."""

    threads: int
    checkpoints: int


def open_store(url: str | Path, *, create: bool = False, read_only: bool = False) -> RunStore:
    """Open the store of a run.

    `url` is a run folder, `sqlite:///` and the path of a file (so that an absolute one has four slashes), or
    `memory:` and a name, under which this process keeps it to its end. A file of an older layout is brought
    up to date. With `read_only` nothing is written, and the run may be looked at while another process works
    on it.
    Raises UsageError for any other address, RunFolderError where there is no run (unless `create`) or it
    cannot be used.
    """
    if not (create and not read_only) and not holds_run(url):
        message = f"{url} does not hold a run"
        raise RunFolderError(message, "start one with entp load POOL --run DIR, or entp run POOL --run DIR")
    kind, place = _place(url)
    if kind == "memory":
        from .memory.store import open_memory_store

        return open_memory_store(place, read_only=read_only)
    from .sqlite.store import open_sqlite_store

    return open_sqlite_store(_run_file(kind, place), read_only=read_only)


def holds_run(url: str | Path) -> bool:
    """Whether there is a run to open; raises UsageError for an address of no known kind."""
    kind, place = _place(url)
    if kind == "memory":
        from .memory.store import memory_store_exists

        return memory_store_exists(place)
    return _run_file(kind, place).exists()


def open_ledger(url: str | Path, *, read_only: bool = False) -> Ledger:
    """Open the ledger at `url`, which is made where it does not exist.

    A path, or `sqlite:///` and a path, is a file of SQLite. `memory:NAME` is kept in memory, and shared by
    all in this process who open that name; `memory:` is shared by nobody. With `read_only` nothing is made,
    written or brought to a newer version: for commands that only look.

    Raises UsageError for any other kind of address, RunFolderError where the ledger cannot be used.
    """
    kind, place = _place(url)
    if kind == "memory":
        from .memory.ledger import MemoryLedger

        return MemoryLedger(place, read_only=read_only)
    from .sqlite.ledger import SqliteLedger

    return SqliteLedger(place, read_only=read_only)


@asynccontextmanager
async def open_saver(path: Path) -> AsyncIterator[BaseCheckpointSaver[Any]]:
    """LangGraph's saver over a file, which is made where there is none; it is closed at the end.

    Raises RunFolderError where the file cannot be used, also inside the block.
    """
    from .sqlite.saver import open_sqlite_saver

    async with open_sqlite_saver(path) as saver:
        yield saver


def thread_id(fusion_id: str) -> str:
    """The LangGraph thread of a fusion: a UUID, as Studio wants it, the same for the same fusion."""
    return str(uuid.uuid5(_FUSIONS, fusion_id))


def saved_threads(path: Path) -> set[str]:
    """The threads of a file of checkpoints that can be opened; none where there is no file."""
    from .sqlite.threads import threads

    return threads(path)


def prune_checkpoints(
    path: Path,
    keep: KeepCheckpoints,
    *,
    fusions: Collection[str],
    forks: Collection[str],
    dry_run: bool = False,
) -> Pruned:
    """Leave of the threads in `fusions` only their ends with `last`, everything with `all`.

    With both, threads that were made for a fusion or a fork that is in neither collection go; those in
    `forks` and those begun in Studio stay as they are. With `none` every thread goes, whosever it is.
    """
    from .sqlite.threads import prune_threads

    if not path.exists():
        return Pruned(0, 0)
    return prune_threads(path, keep, fusions=fusions, forks=forks, dry_run=dry_run)


def compact_folder(folder: Path) -> None:
    """Give free pages of a run folder's files back to the disk.

    Raises RunFolderError where another process is at work on one of them.
    """
    from .sqlite.compacting import compact_files

    compact_files(folder / name for name in (RUN_FILE, LEDGER_FILE, CHECKPOINTS_FILE))


def _place(url: str | Path) -> tuple[str, str]:
    """The kind of an address (a folder or path has none) and where it leads."""
    found = _SCHEME.fullmatch(url) if isinstance(url, str) else None
    if found is None:
        return "", str(url)
    kind, rest = found.groups()
    if kind == "sqlite" and rest.startswith("///"):
        return kind, rest.removeprefix("///")
    if kind == "memory":
        return kind, rest
    # what follows the scheme may hold a password
    message = f"no store can be opened at an address that begins with {kind}:"
    raise UsageError(message, "give a path, sqlite:///PATH or memory:NAME")


def _run_file(kind: str, place: str) -> Path:
    """The file of a run that SQLite keeps."""
    return Path(place) if kind == "sqlite" else Path(place) / RUN_FILE
