"""The table of templates: where each is used, what leads to it, what goes in and what comes back.

Nodes and edges of the variant graph, the prompt optimizer's routes, the bound of calls, the steps of a replay
and the table in docs/graph.md are made from it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, TypeAlias, TypeVar, get_args

from ..prompts import inputs
from ..prompts.inputs import TemplateInput
from ..records.vocabulary import Condition, Cycle
from . import replies
from .replies import Reply, Rewrite

Limit: TypeAlias = Literal["conversation", "before the answer", "removal"]
Place: TypeAlias = Literal["row", "pair"] | Cycle
CYCLES: tuple[Cycle, ...] = get_args(Cycle)


@dataclass(frozen=True)
class Template:
    """One template.

    `place` says when it is asked: for a row, once for a pair, or in that cycle of a variant. `figure` is the
    paper's, None where the paper has no such prompt. `repeats` is how much of its data the reply may repeat,
    1 being all of it; what a reply says besides is short.
    """

    given: type[TemplateInput]
    reply: type[Reply]
    place: Place
    figure: int | None
    repeats: float

    @property
    def name(self) -> str:
        """The stem of its files, and the name of its node and of its operator in the ledger."""
        return self.given.template

    @property
    def cycle(self) -> Cycle | None:
        """The cycle of a variant that it belongs to, if to any."""
        return self.place if isinstance(self.place, int) else None


@dataclass(frozen=True)
class Writer(Template):
    """A template that writes the next attempt of its cycle; `unmet` are the conditions that lead to it.

    A cycle's other template is its check, which judges every attempt.
    """

    reply: type[Rewrite]
    place: Cycle
    unmet: tuple[Condition, ...]

    @property
    def limit(self) -> Limit | None:
        """Of what about a fifth may change at most, or that it may only remove; None where it is free."""
        if "nothing_to_remove" in self.unmet:
            return "removal"
        if self.reply is not replies.MergedVariant:
            return None
        return "before the answer" if "answer" in self.unmet else "conversation"

    @property
    def route(self) -> str:
        """The name of the way to it, as drawings show it on the edge."""
        return f"{' + '.join(self.unmet)} unmet".replace("_", " ")


# Of a cycle's writers the first whose conditions are all unmet is taken, so each names only what decides:
# without a question its context and answer are unmet as well.
TEMPLATES: tuple[Template, ...] = (
    # given, reply, place, figure, repeats, and of a writer what is unmet
    Template(inputs.RatingInput, replies.Rating, "row", 5, 0),
    Template(inputs.RatingDs2Input, replies.Rating, "row", 5, 0),
    Template(inputs.RatingAgainInput, replies.SecondRating, "row", 5, 0),
    Template(inputs.DomainAnalysisInput, replies.DomainReport, "pair", 9, 0.5),
    Template(inputs.MergedCorpusInput, replies.MergedCorpora, "pair", 12, 3),
    Template(inputs.InformationCompletenessInput, replies.CompletenessReport, 1, 13, 0.5),
    Writer(inputs.TermsQuestionInput, replies.PlannedVariant, 1, 20, 1.5, ("terms", "question")),
    Writer(inputs.QuestionInput, replies.PlannedVariant, 1, 21, 1.5, ("question",)),
    Writer(inputs.TermsContextAnswerInput, replies.MergedVariant, 1, 19, 1.5, ("terms", "context", "answer")),
    Writer(inputs.TermsContextInput, replies.MergedVariant, 1, 18, 1.5, ("terms", "context")),
    Writer(inputs.TermsAnswerInput, replies.MergedVariant, 1, 17, 1.5, ("terms", "answer")),
    Writer(inputs.TermsInput, replies.MergedVariant, 1, 16, 1.5, ("terms",)),
    Writer(inputs.ContextAnswerInput, replies.MergedVariant, 1, 23, 1.5, ("context", "answer")),
    Writer(inputs.ContextInput, replies.MergedVariant, 1, 22, 1.5, ("context",)),
    Writer(inputs.AnswerInput, replies.Answer, 1, 24, 1, ("answer",)),
    Template(inputs.FinalAnswerCheckInput, replies.AnswerCheck, 2, 11, 1),
    Writer(inputs.MissingAnswerInput, replies.Answer, 2, 14, 1, ("direct_answer",)),
    Writer(inputs.RedundantInput, replies.Answer, 2, 15, 1, ("nothing_to_remove",)),
)

T = TypeVar("T", bound=Template)


def template_named(name: str) -> Template:
    """The template of a name."""
    return next(row for row in TEMPLATES if row.name == name)


def templates_of(place: str | int) -> list[Template]:
    """The templates of a place."""
    return [row for row in TEMPLATES if row.place == place]


def check_of(cycle: int) -> Template:
    """The template that judges every attempt of a cycle."""
    (check,) = (row for row in templates_of(cycle) if not isinstance(row, Writer))
    return check


def writers_of(cycle: int) -> list[Writer]:
    """The templates that may write an attempt of a cycle, in the order in which they are considered."""
    return [row for row in templates_of(cycle) if isinstance(row, Writer)]


def cycle_of(name: str) -> Cycle | None:
    """The cycle of a template by its name; None for one of another place and for what is not a template."""
    return next((row.cycle for row in TEMPLATES if row.name == name), None)


def by_figure(templates: Iterable[T]) -> list[T]:
    """Templates as the paper shows them, those that it does not have last."""
    return sorted(templates, key=lambda row: (row.figure is None, row.figure))
