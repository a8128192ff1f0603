"""Symbolic loss: the model's word, and where it is provably wrong."""

from __future__ import annotations

import pytest

from entp.graph.loss import SymbolicLoss, answer_loss, covered_terms, final_loss, means_nothing, merge_loss
from entp.nodes.replies import AnswerCheck, CompletenessReport
from entp.records.conversation import Turn

TURNS = (
    Turn(role="user", content="How do plant cells store the energy of sunlight?"),
    Turn(role="assistant", content="As sugar, made by photo-synthesis."),
)


def report(*, left=((), ()), right=((), ()), exists=True, missing=None, again=False, meant=None, **changes):
    by_meaning = [{"term": term, "words": words} for term, words in (meant or {}).items()]
    return CompletenessReport.model_validate(
        {
            "left_terms": {"included": list(left[0]), "by_meaning": by_meaning, "missing": list(left[1])},
            "right_terms": {"included": list(right[0]), "missing": list(right[1])},
            "question": {
                "exists": exists,
                "type": "open",
                "needs_context": changes.get("needs_context", missing is not None),
                "context_contain": None,
                "context_missing": missing,
            },
            "answer": {
                "direct": changes.get("direct", True),
                "needs_regeneration": again,
                "explanation": "it wanders",
            },
        }
    )


def test_a_variant_that_lacks_nothing_has_no_loss():
    loss = merge_loss(report(left=(["plant cell"], [])), TURNS, ["plant cell"], [])
    assert (loss.unmet, loss.size, loss.overrides) == ([], 0, [])


@pytest.mark.parametrize("term", ["Plant Cell", "plant-cells", "photo synthesis", "photo-synthesis"])
def test_a_term_reported_missing_that_stands_there_is_not_missing(term):
    loss = merge_loss(report(left=([], [term])), TURNS, [term], [])
    assert loss.unmet == []
    assert loss.included_terms == [term]
    assert term in loss.overrides[0]


def test_a_term_that_is_reported_nowhere_is_missing():
    loss = merge_loss(report(), TURNS, ["chlorophyll"], ["sugar"])
    assert loss.unmet == ["terms"]
    assert (loss.missing_terms, loss.included_terms) == (["chlorophyll"], ["sugar"])
    assert len(loss.overrides) == 1


def test_a_term_in_other_words_is_included_by_the_words_that_carry_it():
    loss = merge_loss(report(meant={"solar power": "energy of Sunlight"}), TURNS, ["solar power"], [])
    assert (loss.unmet, loss.included_terms, loss.overrides) == ([], ["solar power"], [])
    assert loss.carried_by == {"solar power": "energy of Sunlight"}


@pytest.mark.parametrize("words", ["power of the Sun", "", " . "])
def test_a_term_whose_words_are_not_there_is_missing(words):
    loss = merge_loss(report(meant={"solar power": words}), TURNS, ["solar power"], [])
    assert (loss.unmet, loss.missing_terms) == (["terms"], ["solar power"])
    assert f"{words!r} is not there" in loss.overrides[0]


def test_a_term_reported_as_given_that_is_not_there_is_missing():
    loss = merge_loss(report(left=(["solar power"], [])), TURNS, ["solar power"], [])
    assert (loss.unmet, loss.missing_terms) == (["terms"], ["solar power"])
    assert "reported included" in loss.overrides[0]


def test_a_term_reported_as_given_is_there_in_another_case_too():
    loss = merge_loss(report(left=(["Sugar"], [])), TURNS, ["Sugar"], [])
    assert (loss.unmet, loss.overrides, loss.carried_by) == ([], [], {"Sugar": "Sugar"})


def test_a_term_reported_both_ways_that_is_not_there_is_missing():
    loss = merge_loss(report(left=(["mitosis"], ["mitosis"])), TURNS, ["mitosis"], [])
    assert loss.missing_terms == ["mitosis"]


def test_no_question_counts_three_and_with_a_missing_term_four():
    assert merge_loss(report(exists=False), TURNS, [], []).unmet == ["question", "context", "answer"]
    assert merge_loss(report(exists=False), TURNS, ["mitosis"], []).size == 4


def test_context_and_answer_count_one_each():
    assert merge_loss(report(missing="which plants"), TURNS, [], []).unmet == ["context"]
    assert merge_loss(report(again=True), TURNS, [], []).unmet == ["answer"]
    assert merge_loss(report(missing="which plants", again=True), TURNS, [], []).size == 2


@pytest.mark.parametrize("blank", ["", "  \n"])
def test_an_empty_part_fails_whatever_the_model_says(blank):
    no_question = (Turn(role="user", content=blank), TURNS[1])
    no_answer = (TURNS[0], Turn(role="assistant", content=blank))
    assert merge_loss(report(), no_question, [], []).unmet == ["question", "context", "answer"]
    assert merge_loss(report(), no_answer, [], []).unmet == ["answer"]
    assert merge_loss(report(), no_answer, [], []).overrides


def check(direct, remove):
    return AnswerCheck(direct_answer=direct, information_to_remove=remove)


@pytest.mark.parametrize(
    ("direct", "remove", "unmet"),
    [
        ("sugar", None, []),
        (None, None, ["direct_answer"]),
        ("sugar", "the second sentence", ["nothing_to_remove"]),
        (None, "all of it", ["direct_answer", "nothing_to_remove"]),
        ("sugar", "None.", []),
        ("sugar made by photo-synthesis", None, []),
    ],
)
def test_the_loss_of_an_answer(direct, remove, unmet):
    assert answer_loss(check(direct, remove), TURNS).unmet == unmet


def test_an_empty_answer_is_never_direct():
    silent = (TURNS[0], Turn(role="assistant", content=" "))
    loss = answer_loss(check("sugar", None), silent)
    assert loss.unmet == ["direct_answer"]
    assert loss.overrides


@pytest.mark.parametrize("text", [None, "", " none. ", "N/A", "Nothing", "null"])
def test_words_for_nothing(text):
    assert means_nothing(text)
    assert not means_nothing("none of the plants")


@pytest.mark.parametrize("answer", ["No.", "None", "0", "Nothing", "No, it is not."])
def test_a_word_that_stands_in_the_answer_is_one(answer):
    turns = (Turn(role="user", content="Answer yes or no."), Turn(role="assistant", content=answer))
    quoted = answer.split(",")[0]
    loss = answer_loss(check(quoted, None), turns)
    assert (loss.unmet, loss.overrides) == ([], [])


def test_a_quotation_that_is_not_in_the_answer_is_no_direct_answer():
    loss = answer_loss(check("Rayleigh scattering of short waves.", None), TURNS)
    assert loss.unmet == ["direct_answer"]
    assert "does not stand" in loss.overrides[0]


def test_an_answer_that_is_not_direct_is_unmet_whatever_else_is_said():
    loss = merge_loss(report(direct=False), TURNS, [], [])
    assert loss.unmet == ["answer"]
    assert loss.overrides == ["answer: reported complete, but not direct"]
    assert merge_loss(report(direct=False, again=True), TURNS, [], []).overrides == []


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"needs_context": False, "missing": "which plants"}, "'which plants' as missing"),
        ({"needs_context": True}, "nothing is named"),
    ],
)
def test_a_report_on_context_that_contradicts_itself_is_kept(changes, words):
    loss = merge_loss(report(**changes), TURNS, [], [])
    assert loss.unmet == []
    assert words in loss.overrides[0]


def test_a_term_reported_under_another_spelling_is_found():
    words = "the energy of sunlight"
    found = report(meant={"head-tail event": words})
    loss = merge_loss(found, TURNS, ["Head\u2013Tail events"], [])
    assert (loss.unmet, loss.overrides) == ([], [])


@pytest.mark.parametrize(("says_right", "listed"), [("included", "included"), ("missing", "missing")])
def test_a_term_of_both_sources_is_in_one_list(says_right, listed):
    right = (["Sunlight"], []) if says_right == "included" else ([], ["Sunlight"])
    found = report(left=(["sunlight"], []), right=right)
    loss = merge_loss(found, TURNS, ["Sunlight"], ["Sunlight"])
    assert {"included": loss.included_terms, "missing": loss.missing_terms}[listed] == ["Sunlight"]
    assert len(loss.included_terms) + len(loss.missing_terms) == 1


def answered(text):
    return (TURNS[0], Turn(role="assistant", content=text))


def final(found, after, *unmet, terms=()):
    """The final loss of a text, from the report on TURNS and what Cycle 2 left unmet."""
    merged = merge_loss(found, TURNS, list(terms), [])
    left = covered_terms(found, after, list(terms), [])
    return final_loss(merged, SymbolicLoss(unmet=list(unmet)), left, rewritten=after != TURNS)


def test_an_answer_that_cycle_two_has_fixed_is_no_fault():
    assert final(report(again=True), answered("As sugar.")).unmet == []


def test_an_answer_that_was_not_rewritten_keeps_its_fault():
    assert final(report(again=True), TURNS).unmet == ["answer"]


def test_an_answer_that_is_not_direct_in_either_cycle_counts_once():
    assert final(report(direct=False), TURNS, "direct_answer").unmet == ["direct_answer"]


def test_without_a_question_three_conditions_stay_unmet():
    assert final(report(exists=False), answered("As sugar.")).size == 3


def test_a_term_that_went_with_the_old_answer_is_missing():
    terms = ["photo-synthesis", "plant cell"]
    found = final(report(left=(terms, [])), answered("As sugar."), terms=terms)
    assert (found.unmet, found.missing_terms) == (["terms"], ["photo-synthesis"])


def test_a_term_that_came_with_the_new_answer_is_not():
    found = final(report(left=([], ["starch"])), answered("As starch."), terms=["starch"])
    assert (found.unmet, found.included_terms) == ([], ["starch"])


@pytest.mark.parametrize(("words", "unmet"), [("energy of sunlight", []), ("photo-synthesis", ["terms"])])
def test_a_term_in_other_words_is_included_as_long_as_they_are_there(words, unmet):
    found = report(meant={"solar power": words})
    assert final(found, answered("As sugar."), terms=["solar power"]).unmet == unmet
