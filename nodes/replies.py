"""The typed replies of the operators: what the model must send back.

Every reply forbids unknown keys. Keys stand in the order in which a model should think: first what was found,
then the verdict on it. A key with a default is one that only a capable model is asked for. A reply that
holds new text has `declined`, the way out for content that must not be written; judging needs none.
The limits are stated in the system text of the full profile; `schema.py` tightens them for small models.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Annotated, Literal, TypeAlias

from pydantic import AliasChoices, BaseModel, ConfigDict, Field, StringConstraints

from ..records.conversation import Conversation, Turn, with_last_answer
from ..records.vocabulary import VARIANTS, Relationship

# most characters of each kind of text
TEXT, SENTENCE, PHRASE = 40_000, 2_000, 300
# most entries of a list of phrases, and most exchanges of a conversation
ITEMS, EXCHANGES = 80, 12

# what a small model is asked for in place of these keys: it takes `user` for the name of somebody
SMALL_MODELS = {"user": "question", "assistant": "answer"}

Text: TypeAlias = Annotated[str, StringConstraints(max_length=TEXT)]
Sentence: TypeAlias = Annotated[str, StringConstraints(max_length=SENTENCE)]
Phrase: TypeAlias = Annotated[str, StringConstraints(max_length=PHRASE)]
Phrases: TypeAlias = Annotated[list[Phrase], Field(max_length=ITEMS)]
Overall: TypeAlias = Annotated[int, Field(ge=1, le=10)]


class Part(BaseModel):
    """A part of a reply."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Reply(Part):
    """A whole reply."""


class Writing(Reply):
    """A reply that holds new text. `declined` is the reason why the model will not write it, or None."""

    declined: Phrase | None = None


class Rewrite(Writing, ABC):
    """A reply that writes a variant again, as a whole or in part."""

    @abstractmethod
    def applied_to(self, variant: Conversation) -> Conversation:
        """The variant as it reads with this reply."""


class Rating(Reply):
    """One row's quality on four criteria, each 1 (worst) to 10 (best) (Fig. 5)."""

    rarity: Overall
    complexity: Overall
    informativeness: Overall
    overall: Overall


class SecondRating(Reply):
    """The same four criteria in another order, for a second rating that owes little to the first."""

    informativeness: Overall
    complexity: Overall
    rarity: Overall
    overall: Overall


class CorpusDomain(Part):
    """What one corpus is about (Fig. 9)."""

    domain: Phrase
    key_terms: Phrases
    matching_rule: Sentence


class DomainReport(Reply):
    """Both domains and how they relate, with the reason for it (Fig. 9)."""

    left: CorpusDomain
    right: CorpusDomain
    semantic_similarity: float = Field(ge=0, le=1)
    bridging_concepts: Phrases
    reason: Sentence = ""
    relationship: Relationship


class Exchange(Part):
    """A user part and the assistant part that answers it; small models are asked for SMALL_MODELS' names."""

    user: Text = Field(validation_alias=AliasChoices("user", SMALL_MODELS["user"]))
    assistant: Text = Field(validation_alias=AliasChoices("assistant", SMALL_MODELS["assistant"]))


Exchanges: TypeAlias = Annotated[list[Exchange], Field(min_length=1, max_length=EXCHANGES)]


class MergedVariant(Rewrite):
    """One merged conversation; roles are in order by construction (Fig. 16-19, 22 and 23)."""

    exchanges: Exchanges

    def applied_to(self, variant: Conversation) -> Conversation:
        """A variant of its own."""
        return turns_of(self.exchanges)


class PlannedVariant(Rewrite):
    """One conversation merged from the raw pair, after a plan of it (Fig. 20 and 21)."""

    plan: Sentence = ""
    exchanges: Exchanges

    def applied_to(self, variant: Conversation) -> Conversation:
        """A variant of its own."""
        return turns_of(self.exchanges)


class VariantDraft(Part):
    """One of the variants that a single merging call gives, after a plan of it."""

    plan: Sentence = ""
    exchanges: Exchanges


class MergedCorpora(Writing):
    """The three variants of a fusion, in the order of the strategies asked for (Fig. 12)."""

    variants: Annotated[list[VariantDraft], Field(min_length=VARIANTS, max_length=VARIANTS)]


class TermByMeaning(Part):
    """A key term that a variant has in other words, and the words of the variant that carry it."""

    term: Phrase
    words: Sentence


class TermCoverage(Part):
    """Which key terms of one source a variant has, as given or by meaning, and which it lacks."""

    included: Phrases
    by_meaning: Annotated[list[TermByMeaning], Field(max_length=ITEMS)] = []
    missing: Phrases


class QuestionReport(Part):
    """The final question of a variant. What is absent or not needed is None."""

    final_question: Sentence | None = None
    exists: bool
    type: Literal["open", "closed"] | None
    context_contain: Sentence | None
    context_missing: Sentence | None
    needs_context: bool


class AnswerReport(Part):
    """The final answer of a variant: what is asked, what it says, and where the two part.

    `explanation` says why it must be given again, if it must.
    """

    asked: Sentence = ""
    answered: Sentence = ""
    explanation: Sentence | None
    direct: bool
    needs_regeneration: bool


class CompletenessReport(Reply):
    """Term coverage, final question and final answer of a variant (Section C.3.1, Fig. 13 and 25)."""

    left_terms: TermCoverage
    right_terms: TermCoverage
    question: QuestionReport
    answer: AnswerReport


class AnswerCheck(Reply):
    """What of the last answer is direct and what does not belong in it; None for nothing (Fig. 11, 26).

    `said_instead` is what the last assistant part says where it does not answer.
    """

    said_instead: Sentence | None = None
    direct_answer: Text | None
    information_to_remove: Text | None


class Answer(Rewrite):
    """A new last assistant part; everything before it is frozen (Fig. 14, 15 and 24)."""

    answer: Text

    def applied_to(self, variant: Conversation) -> Conversation:
        """The variant with this as its last assistant part."""
        return with_last_answer(variant, self.answer)


def turns_of(exchanges: Sequence[Exchange]) -> Conversation:
    """The turns of a conversation, user and assistant by turns."""
    return tuple(
        turn
        for exchange in exchanges
        for turn in (
            Turn(role="user", content=exchange.user),
            Turn(role="assistant", content=exchange.assistant),
        )
    )
