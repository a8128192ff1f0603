"""Records of JSON and JSON Lines files, one at a time.

No more of a file is held than one record, and none above the limit: the structure of an array is followed in
blocks of bytes, and each record is then fetched by its place and parsed on its own. So a record that is
malformed, too long or not UTF-8 harms no other. A streaming parser such as ijson ends at the first of these,
and holds a value of any length.
"""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple, NoReturn

from ..records.errors import PoolError
from .misfit import Misfit, kind_of

BLOCK_BYTES = 1 << 20
"""How much of a file is looked at in one go."""

_MARK = re.compile(rb'([\[\]{},])|"(?:[^"\\]++|\\.)*+(")?', re.DOTALL)
"""A bracket or comma, or a string: to its closing quote, or as far as the block goes."""


class Record(NamedTuple):
    """One record of a pool file: where it stands, and its keys or why it has none."""

    file: str
    line: int
    value: dict[str, Any] | Misfit


def read_lines(path: Path, max_row_bytes: int) -> Iterator[Record]:
    """The records of a JSON Lines file by line, from 1. Blank lines are passed over."""
    with path.open("rb") as stream:
        for number in count(1):
            line = stream.readline(max_row_bytes + len(b"\r\n"))
            if not line:
                return
            content = line.rstrip(b"\r\n")
            if number == 1:
                content = content.removeprefix(codecs.BOM_UTF8)
            if len(content) > max_row_bytes:
                size = len(content) + (0 if line.endswith(b"\n") else _skip_line(stream))
                yield Record(str(path), number, too_long(size, max_row_bytes))
            elif content.strip():
                yield Record(str(path), number, _parsed(content))


def read_array(path: Path, start: int, max_row_bytes: int) -> Iterator[Record]:
    """The records of the array whose first byte after the bracket is at `start`, by position, from 1."""
    with path.open("rb") as ahead, path.open("rb") as behind:
        if _next_byte(behind, start)[1] == b"]":
            return
        begin, position = start, 1
        for mark, offset, depth in _marks(ahead, start, 0):
            if mark == b"," or depth < 0:
                yield Record(str(path), position, _fetched(behind, begin, offset, max_row_bytes))
                begin, position = offset + 1, position + 1
            if depth < 0:
                return
        misfit = Misfit("the end of the file", "the rest of the record and the end of the array")
        yield Record(str(path), position, misfit)


def find_array(path: Path) -> int | None:
    """Where the records of a .json file begin: behind the bracket of the array that is, or is in, its value.

    None where several objects follow each other, that is JSON Lines under another ending. Raises PoolError
    where the file has no array, or where it is not clear which one is meant.
    """
    with path.open("rb") as stream:
        mark = stream.read(len(codecs.BOM_UTF8))
        start, first = _next_byte(stream, len(mark) if mark == codecs.BOM_UTF8 else 0)
        if first not in (b"[", b"{"):
            message = f"{path}: begins with {first!r}, which is not a JSON array or object"
            raise PoolError(message, "give a UTF-8 file with an array of records")
        arrays, end = _outline(stream, start, first)
        more = end is not None and _next_byte(stream, end)[1]
    if more and first == b"{":
        return None
    if more:
        message = f"{path}: its array ends at byte {end} and text follows"
        raise PoolError(message, "give one array a file, or one record a line (.jsonl)")
    if len(arrays) != 1:
        found = f"contains {len(arrays)} arrays" if arrays else "contains no array"
        message = f"{path}: {found}, expected one array of records"
        raise PoolError(message, "give an array, or an object with one array in it")
    return arrays[0]


def too_long(size: int, max_row_bytes: int) -> Misfit:
    """A record above the limit."""
    return Misfit(f"a record of {size:,} bytes", f"at most {max_row_bytes:,} bytes")


def _parsed(content: bytes) -> dict[str, Any] | Misfit:
    try:
        value = json.loads(content.decode(), parse_constant=_refuse_constant)
    except Misfit as misfit:
        return misfit
    except UnicodeDecodeError as error:
        return Misfit(f"invalid UTF-8 at byte {error.start + 1} of the record", "UTF-8 text")
    except RecursionError:
        return Misfit("brackets nested too deeply", "a JSON object")
    except ValueError as error:
        return Misfit(f"malformed JSON: {error}", "a JSON object")
    return value if isinstance(value, dict) else Misfit(kind_of(value), "a JSON object")


def _refuse_constant(name: str) -> NoReturn:
    found = f"the constant {name}"
    raise Misfit(found, "JSON, which has no such number")


def _skip_line(stream: BinaryIO) -> int:
    """Read to the end of the line and forget it; the bytes passed over."""
    skipped = 0
    while piece := stream.readline(BLOCK_BYTES):
        skipped += len(piece.rstrip(b"\r\n"))
        if piece.endswith(b"\n"):
            break
    return skipped


def _marks(stream: BinaryIO, start: int, deepest: int) -> Iterator[tuple[bytes, int, int]]:
    """Brackets and commas outside strings from `start` on: each with its offset in the file and its depth.

    The depth is the number of brackets around it that opened since `start`; deeper ones are passed over.
    """
    stream.seek(start)
    depth, unclosed = 0, b""
    while read := stream.read(BLOCK_BYTES):
        block = unclosed + read
        begin = start - len(unclosed)
        start += len(read)
        unclosed = b""
        for found in _MARK.finditer(block):
            if found.lastindex == 1:
                mark = found.group()
                depth -= mark in b"]}"
                if depth <= deepest:
                    yield mark, begin + found.start(), depth
                depth += mark in b"[{"
            elif found.lastindex is None:
                # go on as if the string began here; a backslash at the very end escapes what comes next
                unclosed = b'"' if found.end() == len(block) else b'"\\'


def _outline(stream: BinaryIO, start: int, first: bytes) -> tuple[list[int], int | None]:
    """Where the outermost arrays of the value at `start` begin, and where it ends (None: it does not)."""
    outermost = 0 if first == b"[" else 1
    arrays: list[int] = []
    for mark, offset, depth in _marks(stream, start, 1):
        if mark == b"[" and depth == outermost:
            arrays.append(offset + 1)
        elif mark in b"]}" and not depth:
            return arrays, offset + 1
    return arrays, None


def _fetched(stream: BinaryIO, begin: int, end: int, max_row_bytes: int) -> dict[str, Any] | Misfit:
    if end - begin > max_row_bytes:
        return too_long(end - begin, max_row_bytes)
    stream.seek(begin)
    return _parsed(stream.read(end - begin))


def _next_byte(stream: BinaryIO, begin: int) -> tuple[int, bytes]:
    """Offset and value of the first byte from `begin` on that is not white space (none at the end)."""
    stream.seek(begin)
    while block := stream.read(BLOCK_BYTES):
        if rest := block.lstrip():
            return begin + len(block) - len(rest), rest[:1]
        begin += len(block)
    return begin, b""
