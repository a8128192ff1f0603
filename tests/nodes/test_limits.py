"""Limits on replies: told to the model, and wide enough for what real rows hold."""

from __future__ import annotations

from dataclasses import fields

import pytest

from entp.nodes.ask import most_tokens
from entp.nodes.replies import EXCHANGES, ITEMS, PHRASE, SENTENCE, TEXT, AnswerCheck
from entp.nodes.templates import TEMPLATES
from entp.prompts.inputs import FinalAnswerCheckInput
from entp.prompts.render import render
from entp.records.conversation import Turn

# the longest answer of 8,315 rows of Alpaca, Dolly, Flan v2, Open Assistant and WizardLM, in characters
LONGEST_ANSWER = 8_278
# of English text; fewer would be another language or code
CHARACTERS_A_TOKEN = 4
ROW = (
    Turn(role="user", content="Tell me all of it."),
    Turn(role="assistant", content="word " * (LONGEST_ANSWER // 5)),
)
CONVERSATIONS = {"left", "right", "variant", "conversation"}


def test_the_system_text_states_the_limits():
    system = render(FinalAnswerCheckInput(ROW), "full").messages[0].content
    (length,) = (part for part in system.split("## ") if part.startswith("Length"))
    for number in (TEXT, SENTENCE, PHRASE, ITEMS, EXCHANGES):
        assert f"{number:,}" in length


def test_all_of_the_longest_answer_may_be_named_as_what_to_remove():
    check = AnswerCheck(direct_answer="word", information_to_remove=ROW[1].content)
    assert check.information_to_remove == ROW[1].content


@pytest.mark.parametrize("template", [t for t in TEMPLATES if t.repeats], ids=lambda template: template.name)
def test_a_reply_may_repeat_the_longest_rows(template):
    data = {field.name: ROW if field.name in CONVERSATIONS else {} for field in fields(template.given)}
    prompt = render(template.given(**data), "full")
    held = sum(name in CONVERSATIONS for name in data) * LONGEST_ANSWER
    repeated = min(template.repeats, 3) * held
    assert most_tokens(prompt) > repeated / CHARACTERS_A_TOKEN
