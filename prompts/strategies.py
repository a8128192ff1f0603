"""The nine merging strategies, three for each relationship of two domains (arXiv 2510.23160, Fig. 10)."""

from __future__ import annotations

from typing import NamedTuple

from ..records.vocabulary import Relationship


class Strategy(NamedTuple):
    """A way of merging two corpora: its name and what it asks for, one sentence."""

    name: str
    definition: str


_STRATEGIES: dict[Relationship, tuple[Strategy, Strategy, Strategy]] = {
    "same-domain": (
        Strategy(
            "knowledge_merging",
            "Join what each source knows that the other does not into one fuller account of the subject.",
        ),
        Strategy(
            "procedure_extension",
            "Take the workflow of one source and enrich it with the steps that only the other one has.",
        ),
        Strategy(
            "case_integration",
            "Build one composite case in which the special cases of both sources occur together.",
        ),
    ),
    "related-domain": (
        Strategy(
            "conceptual_analogy",
            "Name the abstract principle that is at work in both fields and explain each field by the other.",
        ),
        Strategy(
            "process_mapping",
            "Carry a procedure of one field over into the setting of the other and keep its logic.",
        ),
        Strategy(
            "term_bridging",
            "Take a term that both fields use, say what it means in each, and connect the fields through it.",
        ),
    ),
    "unrelated-domain": (
        Strategy(
            "creative_metaphor",
            "Let figurative language join the two subjects, so that one becomes the image of the other.",
        ),
        Strategy(
            "hypothetical_scenario",
            "Invent a plausible situation in which both subjects are needed at once.",
        ),
        Strategy(
            "structural_parallelism",
            "Show both subjects side by side in the form that their organisation has in common.",
        ),
    ),
}

FREE_MERGE = Strategy("free_merge", "Merge the two sources in whatever way suits them best.")
"""What stands in the place of all three where strategies are switched off for a comparison; ours."""


def strategies_for(relationship: Relationship) -> tuple[Strategy, Strategy, Strategy]:
    """The three strategies of a relationship, one per variant, in the order of the variants."""
    return _STRATEGIES[relationship]


def all_strategies() -> list[Strategy]:
    """All nine, in the order of the relationships."""
    return [strategy for three in _STRATEGIES.values() for strategy in three]
