"""Fusions as a run keeps them: how each was made, what came of its variants, and forks beside them."""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

from pydantic import ConfigDict, Field

from .calls import CallTrace
from .conversation import Conversation
from .stored import JsonObject, Stored
from .vocabulary import FusionAblation, Profile


class Recipe(Stored):
    """All that shapes a fusion besides its operands and its templates, which its calls name by hash."""

    # what earlier builds kept beside these
    model_config = ConfigDict(frozen=True, extra="ignore")

    model: JsonObject = Field(description="the identity of the chat model, as it goes into the key of a call")
    profile: Profile
    tries: int = 1
    ablate: FusionAblation = Field(default="none", description="the part of the graph that is switched off")
    settings: JsonObject = Field(description="graph.state.FusionSettings by name")

    @property
    def model_name(self) -> str:
        """The name of the chat model."""
        return str(self.model["model"])


class Fusion(Stored):
    """How one fusion ended. A failed one has no variants, and `reason` says why."""

    id: str
    asked: str = Field(description="hash of its operands' texts and its recipe; empty where it failed")
    status: Literal["done", "failed"]
    recipe: Recipe | None = Field(description="None where an earlier build did not keep it")
    reason: str | None = None
    domains: JsonObject = {}
    strategies: list[str] = []
    templates: dict[str, str] = Field(default={}, description="hash of every template that its calls used")
    carried: str | None = Field(default=None, description="the fused row that a later fusion takes up")
    missing: list[str] = Field(default=[], description="failed fusions below it that were folded past")
    calls: list[CallTrace] = []


class FusedRow(Stored):
    """One variant of a fusion as it ended, with every attempt.

    `loss` is that of its text; None where it failed.
    """

    id: str
    fusion_id: str
    variant: int
    strategy: str
    status: Literal["fused", "failed"]
    turns: Conversation
    loss: int | None
    templates: list[str]
    attempts: list[JsonObject] = Field(description="graph.state.Attempt; no `turns` where those before stand")
    reason: str | None = None
    raw: str | None = None
    model: str
    prompt_tokens: int
    completion_tokens: int

    @property
    def summed_loss(self) -> int | None:
        """The paper's loss: the least of each cycle, added up (Algorithm 2); None where it failed."""
        if self.status == "failed":
            return None
        attempts: list[Any] = [*self.attempts]
        least: dict[int, int] = {}
        for attempt in attempts:
            cycle, loss = attempt["cycle"], len(attempt["loss"]["unmet"])
            least[cycle] = min(least.get(cycle, loss), loss)
        return sum(least.values())


class Fork(FusedRow):
    """A variant run on from an earlier attempt, beside the original."""

    cycle: int
    attempt: int
    changes: JsonObject = Field(description="what was set")
    created: str = Field(description="UTC")


class Standing(NamedTuple):
    """What decides whether a fusion that is there is kept. `whole`: done, with no failed variant."""

    asked: str
    templates: dict[str, str]
    whole: bool


class Ended(NamedTuple):
    """What a worker returns of one pair: the records of its fusion, and the rows it was made from."""

    fusion: Fusion
    fused_rows: list[FusedRow]
    sources: list[str]
