"""LangGraph's checkpoints in a file of their own: resume, history, Studio. The ledger is the truth, not they.

Importing this module imports LangGraph, which takes about a second: do it where a graph is run.
"""

from __future__ import annotations

import asyncio
import os
import sqlite3
import uuid
import zlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiosqlite
from langgraph.checkpoint.serde.encrypted import EncryptedSerializer
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer
from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver

from .migrations import BUSY_TIMEOUT_S, Layout, Migration, open_database, store_error

# the saver makes its own tables
LAYOUT = Layout(file="checkpoints.db", tag="ENTK", migrations=(Migration("nothing but the tag", ""),))

# names of fusions live in a space of their own, so that no other program's UUID5 meets them
FUSIONS = uuid.uuid5(uuid.NAMESPACE_URL, "https://arxiv.org/abs/2510.23160")


class _Zipping:
    """A cipher that hides nothing: LangGraph's one place where stored values may be packed.

    The state of a fusion repeats its texts in every attempt, so a fifth is left of it.
    """

    def encrypt(self, plaintext: bytes) -> tuple[str, bytes]:
        return "zlib", zlib.compress(plaintext, 6)

    def decrypt(self, ciphername: str, ciphertext: bytes) -> bytes:
        if ciphername != "zlib":
            message = f"a checkpoint is packed with {ciphername}, not with zlib"
            raise ValueError(message)
        return zlib.decompress(ciphertext)


@asynccontextmanager
async def open_saver(path: str | Path | None = None) -> AsyncIterator[AsyncSqliteSaver]:
    """A saver over a checkpoint file, created where there is none; it is closed at the end.

    Without a path it is the file of the run folder in ENTP_RUN, else of the current folder: so langgraph.json
    can name this function as its checkpointer. What is read back is JSON values and LangGraph's own types
    only: a file from somebody else cannot make us build objects or run code. A commit survives the death of
    the process, not a power cut.
    Raises RunFolderError where the file cannot be used, also inside the block.
    """
    path = path or Path(os.environ.get("ENTP_RUN", "")) / LAYOUT.file
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


def thread_id(fusion_id: str) -> str:
    """The LangGraph thread of a fusion: a UUID, as Studio wants it, the same for the same fusion."""
    return str(uuid.uuid5(FUSIONS, fusion_id))


def _prepare(path: str | Path) -> None:
    """Create the file, tag it and switch on its write-ahead log; raise where it is another kind of file."""
    open_database(path, LAYOUT).close()
