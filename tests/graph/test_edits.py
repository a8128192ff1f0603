"""What a revision changed, by words: the limits that templates ask for."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from entp.graph.edits import measured
from entp.nodes.templates import Writer, template_named, writers_of
from entp.records.conversation import Turn

QUESTION = "Bread rises by yeast. How long does it take in a cold kitchen?"
ANSWER = "About twice as long as in a warm one, since yeast works slowly below eighteen degrees."


def conversation(user=QUESTION, assistant=ANSWER):
    return (Turn(role="user", content=user), Turn(role="assistant", content=assistant))


def edit(name, before, after):
    template = template_named(name)
    assert isinstance(template, Writer)
    return measured(template, before, after)


def test_a_term_that_is_worked_in_keeps_the_limit():
    found = edit("terms", conversation(), conversation(assistant=f"{ANSWER} This is proofing."))
    assert (found.changed, found.added) == (round(3 / 32, 3), round(3 / 32, 3))
    assert (found.questions_kept, found.faults) == (True, [])


def test_a_text_that_was_written_again_is_a_fault():
    after = conversation(
        "Tell me about tides, moons and oceans. Why twice a day?", "Gravity raises two bulges."
    )
    found = edit("terms", conversation(), after)
    assert found.changed > 0.8
    assert found.faults == [
        f"{found.changed:.0%} of the words changed, and about 20 % was the limit",
        "a question that was to stay is not there",
    ]


def test_a_new_answer_is_not_counted_where_it_is_to_be_written_again():
    after = conversation(assistant="Gravity raises two bulges.")
    assert edit("terms_answer", conversation(), after).changed == 0
    assert edit("terms", conversation(), after).changed > 0.4


@pytest.mark.parametrize("name", ["context", "terms_context"])
def test_a_question_that_gets_context_may_change_and_an_earlier_one_may_not(name):
    earlier = (Turn(role="user", content="What is yeast?"), Turn(role="assistant", content="A fungus."))
    extended = conversation(QUESTION.replace("kitchen?", "kitchen at ten degrees?"))
    assert edit(name, conversation(), extended).questions_kept is None
    assert edit(name, (*earlier, *conversation()), (*earlier, *extended)).questions_kept is True
    assert edit(name, (*earlier, *conversation()), extended).questions_kept is False


def test_a_removal_may_join_what_is_left_and_add_no_more():
    shorter = conversation(assistant="So about twice as long as in a warm one.")
    assert edit("redundant", conversation(), shorter).faults == []
    other = edit(
        "redundant", conversation(), conversation(assistant="Dough needs patience, warmth and salt.")
    )
    assert other.faults == [f"{other.added:.0%} of its words are new, and it was only to remove"]


@pytest.mark.parametrize("name", ["question", "terms_question", "answer", "missing_answer"])
def test_a_template_without_a_limit_is_not_measured(name):
    assert edit(name, conversation(), conversation("Why?", "So.")) is None


TEXTS = st.lists(st.sampled_from(["a", "b", "c?", "d.", "", "E"]), max_size=8).map(" ".join)


@given(st.sampled_from([*writers_of(1), *writers_of(2)]), TEXTS, TEXTS, TEXTS)
def test_shares_are_shares_and_nothing_changed_is_none(template, user, before, after):
    old, new = conversation(user, before), conversation(user, after)
    for found in (measured(template, old, new), measured(template, new, old)):
        assert found is None or (0 <= found.changed <= 1 and 0 <= found.added <= 1)
    same = measured(template, old, old)
    assert same is None or (same.changed, same.added, same.faults) == (0, 0, [])
