"""What each template receives: one record per template, its fields exactly the template's placeholders.

`left` and `right` are the two corpora of a pair, `variant` is the merged conversation as it stands.
`domains` is the report of the domain analysis as a JSON object, a strategy is `{"name", "definition"}` and
matching rules are `{"left", "right"}`. None stands for "nothing" or "not known" and is shown as null.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from ..records.conversation import Conversation


@dataclass(frozen=True, slots=True)
class TemplateInput:
    """The data of one prompt. `template` is the stem of its template's file."""

    template: ClassVar[str]


@dataclass(frozen=True, slots=True)
class RatingInput(TemplateInput):
    """One row to be rated."""

    template: ClassVar[str] = "rating"
    conversation: Conversation


@dataclass(frozen=True, slots=True)
class RatingDs2Input(TemplateInput):
    """One row to be rated as DS2 rates: three criteria and a scale, without what the numbers mean."""

    template: ClassVar[str] = "rating_ds2"
    conversation: Conversation


@dataclass(frozen=True, slots=True)
class RatingAgainInput(TemplateInput):
    """One row to be rated a second time, in other words and another order of the criteria."""

    template: ClassVar[str] = "rating_again"
    conversation: Conversation


@dataclass(frozen=True, slots=True)
class DomainAnalysisInput(TemplateInput):
    """A pair to be analysed."""

    template: ClassVar[str] = "domain_analysis"
    left: Conversation
    right: Conversation


@dataclass(frozen=True, slots=True)
class MergedCorpusInput(TemplateInput):
    """A pair to be merged in three ways; the order of `strategies` is the order of the variants."""

    template: ClassVar[str] = "merged_corpus_generation"
    left: Conversation
    right: Conversation
    domains: Mapping[str, object]
    strategies: Sequence[Mapping[str, str]]


@dataclass(frozen=True, slots=True)
class InformationCompletenessInput(TemplateInput):
    """A variant and the key terms that each source asks it to have."""

    template: ClassVar[str] = "information_completeness"
    variant: Conversation
    left_terms: Sequence[str]
    right_terms: Sequence[str]


@dataclass(frozen=True, slots=True)
class FinalAnswerCheckInput(TemplateInput):
    """A variant whose last answer is to be judged."""

    template: ClassVar[str] = "final_answer_check"
    variant: Conversation


@dataclass(frozen=True, slots=True)
class MissingAnswerInput(TemplateInput):
    """A variant whose last answer does not answer its question; `answer_fault` is what it says instead."""

    template: ClassVar[str] = "missing_answer"
    variant: Conversation
    answer_fault: str | None


@dataclass(frozen=True, slots=True)
class RedundantInput(TemplateInput):
    """A variant whose last answer holds more than the answer."""

    template: ClassVar[str] = "redundant"
    variant: Conversation
    direct_answer: str
    information_to_remove: str


@dataclass(frozen=True, slots=True)
class TermsInput(TemplateInput):
    """Key terms are missing."""

    template: ClassVar[str] = "terms"
    variant: Conversation
    included_terms: Sequence[str]
    missing_terms: Sequence[str]


@dataclass(frozen=True, slots=True)
class TermsAnswerInput(TemplateInput):
    """Key terms are missing and the answer must be given again because of `answer_fault`."""

    template: ClassVar[str] = "terms_answer"
    variant: Conversation
    included_terms: Sequence[str]
    missing_terms: Sequence[str]
    answer_fault: str | None


@dataclass(frozen=True, slots=True)
class TermsContextInput(TemplateInput):
    """Key terms are missing and the question (`open` or `closed`) lacks context."""

    template: ClassVar[str] = "terms_context"
    variant: Conversation
    included_terms: Sequence[str]
    missing_terms: Sequence[str]
    matching_rules: Mapping[str, str]
    question_type: str | None
    context_present: str | None
    context_missing: str | None


@dataclass(frozen=True, slots=True)
class TermsContextAnswerInput(TemplateInput):
    """Key terms are missing, the question lacks context and the answer must be given again."""

    template: ClassVar[str] = "terms_context_answer"
    variant: Conversation
    included_terms: Sequence[str]
    missing_terms: Sequence[str]
    matching_rules: Mapping[str, str]
    question_type: str | None
    context_present: str | None
    context_missing: str | None
    answer_fault: str | None


@dataclass(frozen=True, slots=True)
class TermsQuestionInput(TemplateInput):
    """Key terms and a well-formed question are missing: the raw pair, to be merged again."""

    template: ClassVar[str] = "terms_question"
    left: Conversation
    right: Conversation
    domains: Mapping[str, object]
    strategy: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class QuestionInput(TemplateInput):
    """A well-formed question is missing: the raw pair, to be merged again."""

    template: ClassVar[str] = "question"
    left: Conversation
    right: Conversation
    domains: Mapping[str, object]
    strategy: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class ContextInput(TemplateInput):
    """The question (`open` or `closed`) lacks context."""

    template: ClassVar[str] = "context"
    variant: Conversation
    included_terms: Sequence[str]
    matching_rules: Mapping[str, str]
    question_type: str | None
    context_present: str | None
    context_missing: str | None


@dataclass(frozen=True, slots=True)
class ContextAnswerInput(TemplateInput):
    """The question lacks context and the answer must be given again because of `answer_fault`."""

    template: ClassVar[str] = "context_answer"
    variant: Conversation
    included_terms: Sequence[str]
    matching_rules: Mapping[str, str]
    question_type: str | None
    context_present: str | None
    context_missing: str | None
    answer_fault: str | None


@dataclass(frozen=True, slots=True)
class AnswerInput(TemplateInput):
    """The answer must be given again because of `answer_fault`."""

    template: ClassVar[str] = "answer"
    variant: Conversation
    answer_fault: str | None
