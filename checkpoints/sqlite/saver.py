"""LangGraph's checkpoints in a file of their own: resume, history, Studio. The ledger is the truth, not they.

Importing this module imports LangGraph, which takes about a second: do it where a graph is run.
"""

from __future__ import annotations

import asyncio
import sqlite3
import zlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiosqlite
from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.checkpoint.serde.encrypted import EncryptedSerializer
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer
from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver

from .. import CHECKPOINTS_FILE
from .migrations import BUSY_TIMEOUT_S, Layout, Migration, open_database, store_error

# the saver makes its own tables
LAYOUT = Layout(file=CHECKPOINTS_FILE, tag="ENTK", migrations=(Migration("nothing but the tag", ""),))


class _Zipping:
    """A cipher that hides nothing: LangGraph's one place where stored values may be packed.

    The state of a fusion repeats its texts in every attempt, so a fifth is left of it. It has to be a cipher,
    not a serializer of our own: LangGraph enforces its strict allow-list only through JsonPlusSerializer and
    EncryptedSerializer.
    """

    def encrypt(self, plaintext: bytes) -> tuple[str, bytes]:
        return "zlib", zlib.compress(plaintext, 6)

    def decrypt(self, ciphername: str, ciphertext: bytes) -> bytes:
        if ciphername != "zlib":
            message = f"a checkpoint is packed with {ciphername}, not with zlib"
            raise ValueError(message)
        return zlib.decompress(ciphertext)


@asynccontextmanager
async def open_sqlite_saver(path: str | Path) -> AsyncIterator[BaseCheckpointSaver[Any]]:
    """A saver over a checkpoint file, created where there is none; it is closed at the end.

    What is read back is JSON values and LangGraph's own types only: a file from somebody else cannot make us
    build objects or run code. A commit survives the death of the process, not a power cut.
    Raises RunFolderError where the file cannot be used, also inside the block.
    """
    await asyncio.to_thread(_prepare, path)
    async with aiosqlite.connect(path, timeout=BUSY_TIMEOUT_S) as connection:
        # no allow-list is the strict setting; left out, it would be the environment that decides
        strict = JsonPlusSerializer(allowed_msgpack_modules=None)
        saver = AsyncSqliteSaver(connection, serde=EncryptedSerializer(_Zipping(), strict))
        try:
            await connection.execute("PRAGMA synchronous = NORMAL")
            await saver.setup()
            yield saver
        except sqlite3.Error as error:
            raise store_error(path, "writing", error) from error


def _prepare(path: str | Path) -> None:
    """Create the file, tag it and switch on its write-ahead log; raise where it is another kind of file."""
    open_database(path, LAYOUT).close()
