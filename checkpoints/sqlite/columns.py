"""How records lie in columns: a plain value in a column, anything else as JSON.

A field that holds a record of plain values (an operand of a pair) takes a column for each of these, named
`FIELD_NAME`, so that queries can use them.
"""

from __future__ import annotations

import json
import types
from collections.abc import Sequence
from typing import Any, Generic, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from pydantic import BaseModel, TypeAdapter, ValidationError

R = TypeVar("R")

# what reading the columns of a foreign or damaged record raises
UNREADABLE = (ValueError, TypeError, RecursionError)

# most of what Python says of a value that does not fit
_SHOWN = 200
_PLAIN = (str, int, float, bool, type(None))


class Columns(Generic[R]):
    """The columns of one type of record: a pydantic model or a NamedTuple."""

    def __init__(self, kind: type[R]) -> None:
        self._adapter = TypeAdapter(kind)
        fields = _fields(kind)
        self._flat = {
            name: tuple(annotation.model_fields)
            for name, annotation in fields.items()
            if _is_flat(annotation)
        }
        self._json = {
            name
            for name, annotation in fields.items()
            if name not in self._flat and not _is_plain(annotation)
        }
        self._nullable = {name for name in self._json if type(None) in get_args(fields[name])}
        self._fields = tuple(fields)
        self.names = tuple(column for name in fields for column in self._columns_of(name))
        """The columns in order."""

    def values(self, record: BaseModel) -> tuple[Any, ...]:
        """The values of a record's columns, as SQLite takes them."""
        dumped = record.model_dump(mode="json")
        values: list[Any] = []
        for name in self._fields:
            value = dumped[name]
            if name in self._flat:
                values += [_text(value[part]) for part in self._flat[name]]
            elif name in self._json:
                values.append(None if value is None and name in self._nullable else _json(value))
            else:
                values.append(_text(value))
        return tuple(values)

    def record(self, values: Sequence[Any]) -> R:
        """The record of these columns; raises one of UNREADABLE where they hold something else."""
        columns = dict(zip(self.names, values, strict=True))
        record: dict[str, Any] = {}
        for name in self._fields:
            if name in self._flat:
                record[name] = {part: read_text(columns[f"{name}_{part}"]) for part in self._flat[name]}
            elif name in self._json:
                record[name] = None if columns[name] is None else json.loads(columns[name])
            else:
                record[name] = read_text(columns[name])
        return self._adapter.validate_python(record)

    def _columns_of(self, name: str) -> list[str]:
        return [f"{name}_{part}" for part in self._flat[name]] if name in self._flat else [name]


_KNOWN: dict[type[Any], Columns[Any]] = {}


def columns_of(kind: type[R]) -> Columns[R]:
    """The columns of a type, worked out once: that takes most of the time of opening a store."""
    if kind not in _KNOWN:
        _KNOWN[kind] = Columns(kind)
    return _KNOWN[kind]


def why(error: Exception) -> str:
    """What is wrong with a record, in a line, without its content."""
    if isinstance(error, ValidationError):
        first = error.errors(include_url=False, include_input=False)[0]
        return f"{'.'.join(map(str, first['loc'])) or 'record'}: {first['msg']}"
    return str(error)[:_SHOWN] or type(error).__name__


def _fields(kind: type[Any]) -> dict[str, Any]:
    if issubclass(kind, BaseModel):
        return {name: field.annotation for name, field in kind.model_fields.items()}
    return get_type_hints(kind)


def _is_plain(annotation: Any) -> bool:
    origin = get_origin(annotation)
    if origin in (Union, types.UnionType):
        return all(_is_plain(part) for part in get_args(annotation))
    return origin is Literal or annotation in _PLAIN


def _is_flat(annotation: Any) -> bool:
    is_model = isinstance(annotation, type) and issubclass(annotation, BaseModel)
    return is_model and all(_is_plain(field.annotation) for field in annotation.model_fields.values())


def _json(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    # half a surrogate pair has no UTF-8 form, but an escape
    return text if isinstance(_text(text), str) else json.dumps(value)


def read_text(value: Any) -> Any:
    """A value of a plain column, a text as it was given; raises ValueError for bytes that are not one."""
    return value.decode("utf-8", "surrogatepass") if isinstance(value, bytes) else value


def _text(value: Any) -> Any:
    """A value as SQLite takes it: a text with half a surrogate pair, as a model may send it, as bytes."""
    if isinstance(value, str) and not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError:
            return value.encode("utf-8", "surrogatepass")
    return value
