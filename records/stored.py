"""What a record of a run is: a frozen value that a store keeps as one entry of a table."""

from __future__ import annotations

from typing import TypeAlias

from pydantic import BaseModel, ConfigDict, JsonValue

JsonObject: TypeAlias = dict[str, JsonValue]


class Stored(BaseModel):
    """An entry of a table: plain columns, and columns of JSON where a field holds a list, dict or model.

    A model of plain values, such as an operand of a pair, lies in plain columns of its own.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
