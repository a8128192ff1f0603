"""Records of a run for tests: by hand with few words, and drawn by Hypothesis from their types."""

from __future__ import annotations

import types
from typing import Any, Literal, Union, get_args, get_origin

from hypothesis import strategies as st
from pydantic import BaseModel, JsonValue

from entp.records.books import Books
from entp.records.calls import CallTrace
from entp.records.conversation import Turn
from entp.records.datasets import Member
from entp.records.fusions import Ended, Fork, FusedRow, Fusion, Recipe
from entp.records.pairs import Operand, Pair
from entp.records.ratings import RowRating, Score
from entp.records.rows import StoredRow, content_hash
from entp.records.stages import StageMark

RECIPE = Recipe(model={"model": "fake"}, profile="full", settings={"seed": 0})

_KEYS = {"rejected": ("file", "line"), "embedded": ("position",)}

_TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
_NUMBERS = st.integers(-(2**53), 2**53)
_JSON = st.recursive(
    st.none() | st.booleans() | _NUMBERS | _TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_TEXTS, inner, max_size=3),
    max_leaves=5,
)


def turns(question="question", answer="answer"):
    return (Turn(role="user", content=question), Turn(role="assistant", content=answer))


def row(row_id, position, *, source="pool", ratings=None, said=None):
    said = said or turns(f"question {row_id}")
    return StoredRow(
        id=row_id,
        position=position,
        turns=said,
        source=source,
        ratings=ratings or {},
        file="pool.jsonl",
        line=position + 1,
        content=content_hash(said),
    )


def rating(row_id, score, *, rater="fake", origin="model", **more):
    reason = "ModelError: no" if score is None else None
    return RowRating(row_id=row_id, rater=rater, origin=origin, score=score, reason=reason, **more)


def score(row_id, corrected, *, quality="LQ", content_class=None):
    return Score(
        row_id=row_id,
        score=2,
        corrected=corrected,
        confidence=0.5,
        quality=quality,
        content_class=content_class,
    )


def operand(text):
    """`row:a` or `fusion:p1`."""
    kind, _, name = text.partition(":")
    return Operand(kind=kind, id=name)


def pair(pair_id, position, left, right, *, kind="intra", depth=1):
    cluster = 0 if kind == "intra" else None
    sides = {"left": operand(left), "right": operand(right)}
    return Pair(id=pair_id, position=position, kind=kind, cluster=cluster, depth=depth, **sides)


def call(prompt=10, completion=5):
    tokens = {"prompt_tokens": prompt, "completion_tokens": completion}
    return CallTrace(key="k", operator="domain_analysis", template_hash="t", **tokens)


def fused_row(fusion_id, variant, *, loss=0, kind=FusedRow, **more):
    failed = loss is None
    values = {
        "id": f"{fusion_id}-{variant}",
        "fusion_id": fusion_id,
        "variant": variant,
        "strategy": "analogy",
        "status": "failed" if failed else "fused",
        "turns": () if failed else turns(f"question {fusion_id}-{variant}"),
        "loss": loss,
        "templates": ["merge"],
        "attempts": [{"calls": [{}, {}], "loss": {"overrides": ["answer"]}}],
        "reason": "ModelError: no" if failed else None,
        "raw": "?" if failed else None,
        "model": "fake",
        "prompt_tokens": 100,
        "completion_tokens": 50,
    }
    return kind(**values | more)


def fork(fork_id, fusion_id, *, created="2026-01-01T00:00:00+00:00"):
    point = {"cycle": 1, "attempt": 2, "changes": {"temperature": 0.9}}
    return fused_row(fusion_id, 0, kind=Fork, id=fork_id, created=created, **point)


def fusion(fusion_id, *, status="done", carried=None, recipe=RECIPE, asked="asked", **more):
    failed = status == "failed"
    values = {
        "id": fusion_id,
        "asked": "" if failed else asked,
        "status": status,
        "recipe": recipe,
        "reason": "ReplyUnusable: no" if failed else None,
        "carried": carried,
        "calls": [] if failed else [call(), call()],
    }
    return Fusion(**values | more)


def ended(fusion_id, *losses, sources=("a", "b"), **more):
    """A fusion with a variant for each loss, of which None is a failed one; the first is carried on."""
    rows = [fused_row(fusion_id, variant, loss=loss) for variant, loss in enumerate(losses)]
    carried = rows[0].id if rows and losses[0] is not None else None
    status = "done" if rows else "failed"
    return Ended(fusion(fusion_id, status=status, carried=carried, **more), rows, list(sources))


def member(name, position, kind, member_id, made_by="blend"):
    return Member(name=name, position=position, kind=kind, id=member_id, made_by=made_by)


def mark(name="load", **more):
    books = Books(inputs=3, outputs=2, rejected={"too long": 1})
    return StageMark(
        name=name, inputs="i", settings="s", outputs="o", books=books, findings={"files": []}, **more
    )


def ids(records):
    return [record.id for record in records]


def key_of(table, record):
    names = _KEYS.get(table) or ("row_id" if hasattr(record, "row_id") else "id",)
    return ":".join(str(getattr(record, name)) for name in names)


def distinct(table, records):
    """The last record of each key; of those with a place, the last of each place."""
    by_key = {key_of(table, record): record for record in records}
    by_place = {getattr(record, "position", key): record for key, record in by_key.items()}
    return list(by_place.values())


def drawn(kind: type[BaseModel]) -> st.SearchStrategy[Any]:
    """Any record of this type."""
    fields = {name: _values(field.annotation) for name, field in kind.model_fields.items()}
    return st.builds(kind, **fields)


def drawn_field(kind: type[BaseModel], name: str) -> st.SearchStrategy[Any]:
    """Any value of a field of this type."""
    return _values(kind.model_fields[name].annotation)


def _values(annotation: Any) -> st.SearchStrategy[Any]:
    origin, parts = get_origin(annotation), get_args(annotation)
    if origin in (Union, types.UnionType):
        return st.one_of([_values(part) for part in parts])
    if origin is Literal:
        return st.sampled_from(parts)
    if origin is list or origin is tuple:
        return st.lists(_values(parts[0]), max_size=3).map(origin)
    if origin is dict:
        return st.dictionaries(_TEXTS, _values(parts[1]), max_size=3)
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return drawn(annotation)
    if annotation is JsonValue:
        return _JSON
    plain = {
        str: _TEXTS,
        int: _NUMBERS,
        float: st.floats(allow_nan=False, allow_infinity=False),
        type(None): st.none(),
    }
    return plain[annotation]
