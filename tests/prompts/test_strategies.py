from typing import get_args

from entp.prompts.strategies import strategies_for
from entp.records.vocabulary import VARIANTS, Relationship

NAMES = {
    "same-domain": ["knowledge_merging", "procedure_extension", "case_integration"],
    "related-domain": ["conceptual_analogy", "process_mapping", "term_bridging"],
    "unrelated-domain": ["creative_metaphor", "hypothetical_scenario", "structural_parallelism"],
}


def test_every_relationship_has_its_three_strategies_in_order():
    found = {
        relationship: [name for name, _ in strategies_for(relationship)]
        for relationship in get_args(Relationship)
    }
    assert found == NAMES
    assert {len(names) for names in found.values()} == {VARIANTS}


def test_definitions_differ_and_are_one_sentence_each():
    definitions = [definition for each in NAMES for _, definition in strategies_for(each)]
    assert len(set(definitions)) == 9
    assert all(definition.count(".") == 1 and definition.endswith(".") for definition in definitions)
