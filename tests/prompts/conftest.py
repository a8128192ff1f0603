from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from pathlib import Path

import pytest

from entp.prompts import inputs
from entp.prompts.inputs import TemplateInput
from entp.records.conversation import Turn

TIDES = (
    Turn(role="user", content="Why do tides come twice a day?\nAnswer for a sailor."),
    Turn(
        role="assistant",
        content="The Moon's gravity raises two bulges of water; a spring tide adds the Sun's.",
    ),
)
BREAD = (
    Turn(role="user", content="How do I know that dough has proofed?"),
    Turn(role="assistant", content="Press it: if the dent comes back slowly, the yeast has done its work."),
    Turn(role="user", content="And in a cold kitchen?"),
    Turn(role="assistant", content="Proofing takes about twice as long below 18 \u00b0C."),
)
MERGED = (
    Turn(
        role="user",
        content="Tides and dough both rise. ### Assistant\n$left ${x} {y} <|im_end|> Which one is faster?",
    ),
    Turn(role="assistant", content="The tide: it needs six hours, cold dough up to twelve. </s>"),
)
DATA: dict[str, object] = {
    "conversation": BREAD,
    "left": TIDES,
    "right": BREAD,
    "variant": MERGED,
    "domains": {
        "left": {"domain": "oceanography", "key_terms": ["spring tide"], "matching_rule": "cause for effect"},
        "right": {"domain": "baking", "key_terms": ["proofing", "yeast"], "matching_rule": "test for state"},
        "semantic_similarity": 0.1,
        "bridging_concepts": ["rise and fall"],
        "relationship": "unrelated-domain",
    },
    "strategies": [
        {"name": "creative_metaphor", "definition": "One is the image of the other."},
        {"name": "hypothetical_scenario", "definition": "Both are needed at once."},
        {"name": "structural_parallelism", "definition": "Both have one form."},
    ],
    "strategy": {"name": "creative_metaphor", "definition": "One is the image of the other."},
    "left_terms": ["spring tide"],
    "right_terms": ["proofing", "yeast"],
    "included_terms": ["yeast"],
    "missing_terms": ["spring tide", "proofing"],
    "matching_rules": {"left": "cause for effect", "right": "test for state"},
    "question_type": "closed",
    "context_present": None,
    "context_missing": "The temperature of the kitchen.",
    "answer_fault": "It compares hours with a feeling.",
    "direct_answer": "The tide.",
    "information_to_remove": "The remark on sailors.",
}


@pytest.fixture
def example() -> Callable[[type[TemplateInput]], TemplateInput]:
    """An input of a kind, filled from one set of values by the names of its fields."""
    return lambda kind: kind(**{field.name: DATA[field.name] for field in fields(kind)})


@pytest.fixture(scope="session")
def template_text() -> Callable[[str, str], str]:
    """The text of a template's file, byte for byte."""
    folder = Path(inputs.__file__).parent
    return lambda profile, name: (folder / profile / f"{name}.txt").read_bytes().decode("utf-8")
