"""The threads of checkpoints.db: which there are, and how to leave less of them."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Collection
from contextlib import closing
from pathlib import Path

from ...records.vocabulary import KeepCheckpoints
from .. import Pruned
from .migrations import open_database, store_error
from .saver import LAYOUT

_CHOSEN = "thread_id IN (SELECT value FROM json_each(?))"
# of a thread's checkpoints those of inner graphs, and of its own all but the newest: their ids are in order
_BEFORE_THE_END = """
(checkpoint_ns != '' OR checkpoint_id < (
    SELECT max(checkpoint_id) FROM checkpoints AS own
    WHERE own.thread_id = {table}.thread_id AND own.checkpoint_ns = ''
))
"""


def threads(path: Path) -> set[str]:
    """The threads that can be opened; none where there is no file."""
    if not path.exists():
        return set()
    with closing(open_database(path, LAYOUT)) as connection:
        return _threads(connection)


def prune_threads(
    path: Path,
    keep: KeepCheckpoints,
    *,
    fusions: Collection[str],
    forks: Collection[str],
    dry_run: bool = False,
) -> Pruned:
    """As `prune_checkpoints` says; the file keeps its size, and the space is used for what comes."""
    with closing(open_database(path, LAYOUT)) as connection:
        try:
            connection.execute("BEGIN IMMEDIATE")
            there = _threads(connection)
            if not there:
                return Pruned(0, 0)
            before = _checkpoints(connection)
            known = {*fusions, *forks}
            gone = [name for name in there if keep == "none" or (_is_ours(name) and name not in known)]
            _delete(connection, gone)
            if keep == "last":
                _keep_ends(connection, list(fusions))
            pruned = Pruned(len(gone), before - _checkpoints(connection))
            connection.execute("ROLLBACK" if dry_run else "COMMIT")
        except sqlite3.Error as error:
            raise store_error(path, "pruning", error) from error
        return pruned


def _is_ours(thread: str) -> bool:
    """Whether `thread_id` has made it: a UUID of version 5, while those of Studio are of others."""
    return thread[14:15] == "5"


def _threads(connection: sqlite3.Connection) -> set[str]:
    # the saver makes the tables, which it may not have come to
    if not connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'checkpoints'").fetchone():
        return set()
    found = connection.execute("SELECT DISTINCT thread_id FROM checkpoints WHERE checkpoint_ns = ''")
    return {thread for (thread,) in found}


def _checkpoints(connection: sqlite3.Connection) -> int:
    return int(connection.execute("SELECT count(*) FROM checkpoints").fetchone()[0])


def _delete(connection: sqlite3.Connection, gone: list[str]) -> None:
    for table in ("writes", "checkpoints"):
        connection.execute(f"DELETE FROM {table} WHERE {_CHOSEN}", (json.dumps(gone),))


def _keep_ends(connection: sqlite3.Connection, chosen: list[str]) -> None:
    names = (json.dumps(chosen),)
    for table in ("writes", "checkpoints"):
        before = _BEFORE_THE_END.format(table=table)
        connection.execute(f"DELETE FROM {table} WHERE {_CHOSEN} AND {before}", names)
    connection.execute(f"UPDATE checkpoints SET parent_checkpoint_id = NULL WHERE {_CHOSEN}", names)
