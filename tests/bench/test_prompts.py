"""The bench of the prompts: its cases are sound, and its figures are right for models that are known."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from entp.graph.terms import stands_in, words_of
from entp.nodes.templates import template_named
from entp.records.conversation import last_content, plain_text
from prompt_cases import Text, cases_of, pairs, row_texts, without_a_term
from prompt_verdicts import CHECKS, FAC, ICD
from prompts import main

# what the models below merge any pair into, behind a sentence with its key terms
QUESTION, ANSWER = "Why are leaves green?", "They hold a green pigment."
RIGHT = {text.turns[0].content.splitlines()[-1]: text.turns[-1].content for text in row_texts()}
RIGHT[QUESTION] = ANSWER


def data_of(messages):
    lines = messages[1]["content"].splitlines()
    return [json.loads(line) for line in lines if line.startswith(("[", "{"))]


def merging(operator, data):
    """Replies to what is asked before the checks; a row's longest word is its key term."""
    if operator == "domain_analysis":
        sides = [
            {"domain": "any", "key_terms": [longest_word(turns)], "matching_rule": "asked and answered"}
            for turns in data
        ]
        return {
            "left": sides[0],
            "right": sides[1],
            "semantic_similarity": 0.5,
            "bridging_concepts": [],
            "relationship": "same-domain",
        }
    left, right = map(longest_word, data[:2])
    user = f"Some speak of {left}. Others speak of {right}. {QUESTION}"
    return {"variants": [{"exchanges": [{"user": user, "assistant": ANSWER}]}] * 3}


def longest_word(turns):
    return max((word.text for word in words_of(*(turn["content"] for turn in turns))), key=len)


def report(lists, exists=True, wrong=False):
    left, right = ({"included": there, "missing": missing} for there, missing in lists)
    return {
        "left_terms": left,
        "right_terms": right,
        "question": {
            "exists": exists,
            "type": "open" if exists else None,
            "context_contain": None,
            "context_missing": None,
            "needs_context": False,
        },
        "answer": {"explanation": None, "direct": not wrong, "needs_regeneration": wrong},
    }


def oracle(operator, messages):
    """A model that sees every fault."""
    data = data_of(messages)
    if operator not in (ICD, FAC):
        return merging(operator, data)
    asked, answer = (turn["content"] for turn in data[0][-2:])
    right = next((right for question, right in RIGHT.items() if asked.endswith(question)), None)
    if operator == ICD:
        there = words_of(*(turn["content"] for turn in data[0]))
        lists = [
            ([t for t in terms if stands_in(t, there)], [t for t in terms if not stands_in(t, there)])
            for terms in data[1:]
        ]
        return report(lists, asked.endswith("?"), right is not None and not answer.startswith(right))
    if right is None or not answer.startswith(right):
        return {"direct_answer": None, "information_to_remove": None}
    return {"direct_answer": right, "information_to_remove": answer.removeprefix(right).strip() or None}


def content(operator, messages):
    """A model to which everything is always fine."""
    data = data_of(messages)
    if operator == ICD:
        return report([(terms, []) for terms in data[1:]])
    if operator == FAC:
        return {"direct_answer": data[0][-1]["content"], "information_to_remove": None}
    return merging(operator, data)


@pytest.fixture
def bench(model_server, tmp_path):
    """The command against a server that answers by a function; its result as JSON, or as printed."""

    def run(answers, *options, printed=False):
        model_server.answers = answers
        given = [
            "--base-url",
            model_server.base_url,
            "--model",
            "fake",
            "--ledger",
            str(tmp_path / "calls.db"),
            "--reply-mode",
            "json_schema",
        ]
        as_json = [] if printed else ["--json"]
        ended = CliRunner().invoke(main, [*given, *options, *as_json], catch_exceptions=False)
        assert ended.exit_code == 0, ended.output
        return ended.stdout if printed else json.loads(ended.stdout)

    return run


def verdicts(found):
    rows = found["figures"]["faults"]
    return {(row["fault"], row["check"], row["in"]): list(row.values())[-2:] for row in rows}


def test_the_cases_cover_what_they_are_chosen_for_and_are_sound():
    chosen = pairs()
    assert len(chosen) >= 24
    assert {pair.relation for pair in chosen} == {"same-domain", "related-domain", "unrelated-domain"}
    assert {"code", "language", "length", "multi-turn", "tiny answer", "yes/no"} <= {p.why for p in chosen}
    assert {pair.left_id for pair in chosen}.isdisjoint(pair.right_id for pair in chosen)
    for text in row_texts():
        words = words_of(plain_text(text.turns))
        assert all(stands_in(term, words) for term in (*text.left_terms, *text.right_terms))
        faults = {case.fault: case.text for case in cases_of(text, ["Seven.", "Nine."])}
        assert faults.keys() == CHECKS.keys()
        assert not last_content(faults["question cut off"].turns, "user").endswith("?")
        assert last_content(faults["paragraph added"].turns, "assistant").endswith("\n\nNine.")
        # each is the text in all else
        assert faults["none"] == text
        for fault in ("term removed", "question cut off"):
            assert faults[fault].turns[-1] == text.turns[-1]
        for fault in ("answer swapped", "paragraph added"):
            assert faults[fault].turns[:-1] == text.turns[:-1]


def test_a_term_goes_with_its_sentences_and_never_with_the_question_or_the_whole_answer():
    (pair,) = [text.turns for text in row_texts()][:1]
    user, assistant = pair
    turns = (
        user.model_copy(update={"content": "A kiln is hot. Clay shrinks. What does a kiln do?"}),
        assistant.model_copy(update={"content": "It fires Clay."}),
    )
    assert without_a_term(Text("row", turns, ["kiln"], ["Clay"])) is None
    term, left = without_a_term(Text("row", turns, ["kiln"], ["shrinks"]))
    assert term == "shrinks"
    assert [turn.content for turn in left] == ["A kiln is hot. What does a kiln do?", "It fires Clay."]


def test_a_model_that_sees_every_fault_is_always_right(bench):
    found = verdicts(bench(oracle, "--pairs", "1", "--texts", "4"))
    wanted = {(fault, check) for fault, checks in CHECKS.items() for check in checks}
    assert {key[:2] for key in found if key[2] == "row"} == wanted
    # of an accepted row it is known that nothing was found
    assert {key[:2] for key in found if key[2] == "accepted"} == {w for w in wanted if w[0] != "none"}
    assert set(map(tuple, found.values())) == {(1, 1)}


def test_a_model_to_which_all_is_fine_gives_no_false_alarm_and_finds_no_fault_by_its_word(bench):
    found = verdicts(bench(content, "--pairs", "1"))
    assert {word for (fault, *_), (word, _) in found.items() if fault == "none"} == {1}
    assert {word for (fault, *_), (word, _) in found.items() if fault != "none"} == {0}
    # what is not there is found all the same; nothing symbolic sees the others
    assert {fault for (fault, *_), (_, checked) in found.items() if checked} == {"none", "term removed"}


def test_losses_terms_and_accepted_rows(bench):
    figures = bench(oracle, "--pairs", "2", "--texts", "0")["figures"]
    assert [row["loss"] for row in figures["losses"]] == [0, 0]
    (merge,) = figures["texts"]
    assert (merge["template"], merge["texts"], merge["terms there"]) == ("merged_corpus_generation", 6, 1)
    total = figures["pairs"][-1]
    assert (total["pairs for"], total["variants"], total["accepted at 0"]) == ("all", 6, 1)
    # the first pair is of one domain and the second of two
    assert total["related as by hand"] == 0.5


def test_what_a_revision_changed_and_whether_it_met_its_aim(bench):
    def careless(operator, messages):
        """Calls all that stands after the answer to be removed, and writes something else."""
        if operator == FAC:
            (turns,) = data_of(messages)
            last = turns[-1]["content"]
            return {"direct_answer": last, "information_to_remove": last if last == ANSWER else None}
        return (
            {"answer": "Green pigment, and five more words."}
            if operator == "redundant"
            else oracle(operator, messages)
        )

    texts = bench(careless, "--pairs", "1", "--texts", "0")["figures"]["texts"]
    (row,) = (row for row in texts if row["template"] == "redundant")
    # of six words two are among the five before
    assert row["changed"] == round(1 - 2 / 6, 3)
    assert (row["beyond its limit"], row["met its aim"], row["terms there"]) == (1, 1, None)


def test_replies_that_do_not_fit_are_counted_with_their_re_asks(bench):
    def clumsy(operator, messages):
        first = len(messages) == 2
        if operator == FAC or (operator == "domain_analysis" and first):
            return "I would rather chat."
        return oracle(operator, messages)

    figures = bench(clumsy, "--pairs", "1", "--texts", "1")["figures"]
    replies = {row["template"]: row for row in figures["replies"]}
    counted = ("asked", "fit at once", "re-asks", "never fit", "declined", "prompt tokens", "reply tokens")
    assert [replies["domain_analysis"][name] for name in counted] == [1, 0, 1, 0, 0, 10, 5]
    # of three variants, and of four and three texts with known faults
    assert [replies[ICD][name] for name in counted] == [7, 1, 0, 0, 0, 10, 5]
    assert [replies[FAC][name] for name in counted] == [6, 0, 12, 6, 0, 10, 5]
    assert figures["pairs"][-1]["failed"] == 3
    assert [row["variants"] for row in figures["failures"]] == [3]
    unjudged = [row for row in figures["faults"] if row["check"] == FAC]
    assert {(row["no reply"], row["word"]) for row in unjudged} == {(1, 0)}


def test_the_same_run_again_costs_nothing_and_two_versions_stand_side_by_side(bench, model_server, tmp_path):
    options = ("--pairs", "1", "--texts", "1")
    before = bench(oracle, *options)
    calls = len(model_server.calls)
    assert bench(oracle, *options) == before
    assert len(model_server.calls) == calls
    for row in before["figures"]["replies"]:
        row["version"] = "0" * 8
    path = tmp_path / "old.json"
    path.write_text(json.dumps(before), "utf-8")
    lines = bench(oracle, *options, "--against", str(path), printed=True).splitlines()
    beside = [line.split() for line in lines if line.startswith("domain_analysis")]
    assert [line[1] for line in beside] == ["this", "old"]
    assert beside[1][2] == "0" * 8 != beside[0][2]
    assert all(template_named(line.split()[0]) for line in lines if line.startswith("merged_"))


def test_a_wrong_setting_is_one_line(bench, model_server):
    ended = CliRunner().invoke(main, ["--base-url", model_server.base_url])
    assert ended.exit_code == 1
    assert "name one with --model" in str(ended.exception)
