"""The texts of a ledger: cut into parts, each of which is stored once, by its hash.

A prompt is a template with lines of data, and the strings in these come back in replies and in other prompts:
of the characters that a fusion sends and receives about one in ten is new.
"""

from __future__ import annotations

import hashlib
import re
import sqlite3
import zlib

# a shorter string costs more as a part of its own than it saves
LEAST = 32
# below this many bytes zlib's header eats up what it saves
WORTH_ZIPPING = 64
# enough that no number is ever guessed twice, half as much as the full digest
HASH_BYTES = 16
# how many parts to remember the numbers of: those of some thousand calls, a few megabytes
KNOWN = 50_000

# possessive, and content with a string that has no end, so that any text takes one pass
_STRING = re.compile(r'"([^"\\\n]*+(?:\\.[^"\\\n]*+)*+)"?')


def parts_of(text: str) -> list[str]:
    """Cut a text where others may share a piece of it; the parts in a row are the text.

    Every string as JSON writes it, of LEAST characters or more, is a part, and so is what stands between two.
    """
    parts = []
    end = 0
    for string in _STRING.finditer(text):
        start, stop = string.span(1)
        if stop - start >= LEAST:
            parts += [text[end:start], text[start:stop]]
            end = stop
    return [*parts, text[end:]]


def unpack(digest: bytes, zipped: int, body: bytes) -> str:
    """The text of a record; raises ValueError or zlib.error where it is not what was stored."""
    octets = zlib.decompress(body) if zipped else body
    if _hash(octets) != digest:
        message = "its content does not fit its hash"
        raise ValueError(message)
    return octets.decode("utf-8", "surrogatepass")


class Texts:
    """The table of parts of one connection, for writing inside a transaction.

    It remembers the numbers of parts that it has met, so `forget` has to be called when a transaction is
    rolled back: SQLite gives the numbers of what was not kept to others.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._known: dict[bytes, int] = {}

    def store(self, text: str) -> list[int]:
        """The numbers of a text's parts, each of which is stored unless it is there already."""
        return [self.store_whole(part) for part in parts_of(text)]

    def store_whole(self, text: str) -> int:
        """The number of a text that is not cut."""
        octets = text.encode("utf-8", "surrogatepass")
        digest = _hash(octets)
        number = self._known.get(digest)
        if number is None:
            if len(self._known) >= KNOWN:
                self.forget()
            number = self._known[digest] = self._added(digest, octets)
        return number

    def forget(self) -> None:
        """Trust the table alone from now on."""
        self._known.clear()

    def _added(self, digest: bytes, octets: bytes) -> int:
        zipped = zlib.compress(octets, 6) if len(octets) >= WORTH_ZIPPING else octets
        pays = len(zipped) < len(octets)
        new = self._connection.execute(
            "INSERT INTO texts (hash, zipped, body) VALUES (?, ?, ?) ON CONFLICT (hash) DO NOTHING",
            (digest, pays, zipped if pays else octets),
        )
        if new.rowcount:
            assert new.lastrowid is not None
            return new.lastrowid
        found = self._connection.execute("SELECT id FROM texts WHERE hash = ?", (digest,)).fetchone()
        return int(found[0])


def _hash(octets: bytes) -> bytes:
    return hashlib.sha256(octets).digest()[:HASH_BYTES]
