"""What flows through the graphs: JSON values only, so that checkpoints hold nothing but data."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Any, Literal, TypeAlias, cast

from pydantic import Field
from pydantic.fields import FieldInfo

# typing's own TypedDict gives LangGraph Studio no input form on Python 3.11
from typing_extensions import TypedDict

from ..nodes.templates import CYCLES, templates_of
from ..records.vocabulary import BUDGET, DOMAIN_TEMPERATURE, TEMPERATURE, VARIANTS, Cycle, FusionAblation, Tie

TurnJson: TypeAlias = dict[str, str]
StrategyJson: TypeAlias = dict[str, str]
"""The `name` and the `definition` of a strategy."""
Json: TypeAlias = dict[str, Any]

# strategy selection, the variants, collect, a variant's finish, and LangGraph's own last one
FIXED_STEPS = 5


@dataclass(frozen=True, kw_only=True)
class FusionSettings:
    """What a run decides about every fusion; LangGraph Studio shows it as a form."""

    seed: int = field(default=0, metadata={"description": "breaks ties between attempts of equal loss"})
    tie: Tie = field(
        default="terms", metadata={"description": "attempts of equal loss: fewest missing terms, or a draw"}
    )
    budget: int = field(default=BUDGET, metadata={"description": "most attempts a cycle, the first included"})
    temperature: float = field(
        default=TEMPERATURE, metadata={"description": "for every operator but the next"}
    )
    domain_temperature: float = field(
        default=DOMAIN_TEMPERATURE, metadata={"description": "for domain analysis"}
    )

    @property
    def recursion_limit(self) -> int:
        """Supersteps that are enough for a fusion and for each of its variants.

        Two an attempt: a check, and what writes the next attempt or keeps the best.
        """
        return len(templates_of("pair")) + FIXED_STEPS + 2 * self.budget * len(CYCLES)


class Attempt(TypedDict):
    """One attempt of a cycle: the text it tried and how far that was from meeting the conditions."""

    cycle: Cycle
    attempt: int
    template: str  # the one that wrote the text
    plan: str  # what it planned, where it merged
    edit: Json | None  # what it changed, where its template sets limits
    turns: list[TurnJson]
    report: Json
    loss: Json
    calls: list[Json]


class Outcome(TypedDict):
    """How one variant ended. Where it failed `turns` is empty, `loss` is None and `reason` says why."""

    variant: int
    strategy: str  # its name
    status: Literal["fused", "failed"]
    turns: list[TurnJson]
    loss: int | None
    attempts: list[Attempt]
    reason: str
    raw: str


def merged(left: dict[str, Outcome], right: dict[str, Outcome]) -> dict[str, Outcome]:
    """Reducer of `variants`: branches end in any order and each brings its own key."""
    return {**left, **right}


def _example(question: str, answer: str) -> FieldInfo:
    """A side of a pair, with what Studio's form is filled with."""
    turns: Any = [{"role": "user", "content": question}, {"role": "assistant", "content": answer}]
    filled: Any = Field(json_schema_extra={"default": turns})
    return cast(FieldInfo, filled)


class Draft(TypedDict):
    """A variant as it was merged, and the plan for it."""

    plan: str
    turns: list[TurnJson]


class FusionInput(TypedDict):
    """What a fusion starts from: the pair. The id breaks ties and names the results."""

    fusion_id: Annotated[str, Field(json_schema_extra={"default": "example"})]
    left: Annotated[
        list[TurnJson],
        _example("How does photosynthesis capture sunlight?", "Chlorophyll absorbs red and blue light."),
    ]
    right: Annotated[
        list[TurnJson],
        _example("What is compound interest?", "Interest that is paid on earlier interest as well."),
    ]


class FusionState(TypedDict, total=False):
    """State of a fusion: the pair, what was found about it, and the variants as they end."""

    fusion_id: str
    left: list[TurnJson]
    right: list[TurnJson]
    domains: Json
    overrides: list[str]  # what the domain report said that its corpora do not bear out
    strategies: list[StrategyJson]  # one a variant, in order
    drafts: list[Draft]
    calls: list[Json]  # its own, before its variants
    variants: Annotated[dict[str, Outcome], merged]
    carried: int | None  # the variant that a later fusion takes up; None where all failed
    corpus: list[TurnJson]  # its text


class Brief(TypedDict):
    """What a variant starts from and never changes."""

    fusion_id: str
    variant: int
    strategy: StrategyJson
    strategies: list[StrategyJson]  # those of the fusion, one a variant
    left: list[TurnJson]
    right: list[TurnJson]
    domains: Json


class VariantState(TypedDict, total=False):
    """State of one variant: its brief, the current text, and its attempts so far.

    The fusion takes over no key but `variants`: siblings would write the others at the same time.
    """

    brief: Brief
    turns: list[TurnJson]
    template: str
    plan: str
    edit: Json | None
    calls: list[Json]
    attempts: list[Attempt]
    variants: Annotated[dict[str, Outcome], merged]


def cycles_of(ablate: FusionAblation) -> tuple[Cycle, ...]:
    """The cycles that a variant goes through."""
    off = {"cycle1": 1, "cycle2": 2}.get(ablate)
    return tuple(cycle for cycle in CYCLES if cycle != off)


def calls_of_a_fusion(budget: int, ablate: FusionAblation = "none") -> tuple[int, int]:
    """The least and the most calls of a fusion with `budget` attempts a cycle, re-asks not counted.

    Those before the variants; in each cycle of a variant a check an attempt, and a template before every
    attempt but the first.
    """
    before, cycles = len(templates_of("pair")), VARIANTS * len(cycles_of(ablate))
    return before + cycles, before + cycles * (2 * budget - 1)
