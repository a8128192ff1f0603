"""Words that more than one room uses, each once: kinds, classes and modes."""

from __future__ import annotations

from typing import Literal, TypeAlias

ContentClass: TypeAlias = Literal["math", "code", "table"]
Quality: TypeAlias = Literal["LQ", "HQ"]
PairKind: TypeAlias = Literal["intra", "inter"]
MemberKind: TypeAlias = Literal["HQ", "LQ", "intra", "inter"]
VARIANTS = 3
