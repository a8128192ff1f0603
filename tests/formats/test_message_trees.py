"""Conversations out of Open Assistant's trees: flat messages, nested trees, and what is wrong with some."""

import json
import random

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from entp.formats.pool import open_pool, read_pool
from entp.records.rows import RejectedRow, Row

ROLES = ("prompter", "assistant")


def message(name, parent=None, role=None, *, tree="a", **more):
    """A message with what the published ones have; its role follows from the length of its name."""
    return {
        "message_id": name,
        "parent_id": parent,
        "message_tree_id": tree,
        "role": role or ROLES[(len(name) - 1) % 2],
        "text": f"text of {name}",
        "lang": "en",
        "rank": None,
        "deleted": False,
        "review_result": True,
        "labels": {"name": ["quality"], "value": [0.5]},
        **more,
    }


# a is asked; ab and ac answer; abd asks on, abde and abdf answer; abg is a question that nobody answered
TREE = [
    message("a"),
    message("ab", "a", rank=1),
    message("ac", "a", rank=0),
    message("abd", "ab"),
    message("abg", "ab"),
    message("abde", "abd"),
    message("abdf", "abd"),
]
ROWS = {"ac": ["a", "ac"], "abde": ["a", "ab", "abd", "abde"], "abdf": ["a", "ab", "abd", "abdf"]}


def lines(path, records):
    path.write_text("".join(f"{json.dumps(record)}\n" for record in records))
    return path


def nested(messages):
    """The same messages as a tree."""
    (first,) = (each for each in messages if each["parent_id"] is None)

    def with_replies(each):
        kept = {key: value for key, value in each.items() if key != "parent_id"}
        below = [with_replies(other) for other in messages if other["parent_id"] == each["message_id"]]
        return {**kept, "replies": below}

    return {
        "message_tree_id": first["message_tree_id"],
        "tree_state": "ready_for_export",
        "prompt": with_replies(first),
    }


def rows_and_rejected(path, **options):
    found = list(read_pool([path], **options))
    rows = [row for row in found if isinstance(row, Row)]
    rejected = [row for row in found if isinstance(row, RejectedRow)]
    return rows, rejected


def contents(rows):
    return {row.id: [turn.content.removeprefix("text of ") for turn in row.turns] for row in rows}


def written(folder, form):
    """The tree in one of the forms in which it is published, under the source's name."""
    match form:
        case "oasst_messages":
            return lines(folder / "oasst1.jsonl", TREE)
        case "oasst_trees":
            return lines(folder / "oasst1.jsonl", [nested(TREE)])
        case "parquet":
            pq.write_table(pa.Table.from_pylist(TREE), folder / "oasst1.parquet")
            return folder / "oasst1.parquet"


@pytest.mark.parametrize("form", ["oasst_messages", "oasst_trees", "parquet"])
def test_every_way_to_an_answer_that_nobody_replied_to_is_a_row(tmp_path, form):
    path = written(tmp_path, form)
    assert open_pool(path).shape == ("oasst_messages" if form == "parquet" else form)
    rows, (rejected,) = rows_and_rejected(path)
    assert contents(rows) == ROWS
    assert {row.source for row in rows} == {"oasst1"}
    assert {turn.role for row in rows for turn in row.turns[::2]} == {"user"}
    assert "a question that nobody" in rejected.found


@given(order=st.permutations(TREE))
def test_the_order_of_messages_changes_nothing_but_the_order_of_rows(order, tmp_path_factory):
    rows, (rejected,) = rows_and_rejected(lines(tmp_path_factory.mktemp("pool") / "a.jsonl", order))
    assert contents(rows) == ROWS
    names = [each["message_id"] for each in order]
    assert [row.line for row in rows] == sorted(names.index(name) + 1 for name in ROWS)
    assert rejected.line == names.index("abg") + 1


def test_nested_trees_give_the_rows_of_the_messages_in_them(tmp_path):
    draw = random.Random(3)
    forest = []
    for tree in "abcdefgh":
        names = [tree]
        for number in range(20):
            names.append(draw.choice(names) + "xyz"[number % 3])
        forest.append([message(name, name[:-1] or None, tree=tree) for name in dict.fromkeys(names)])
    flat, _ = rows_and_rejected(lines(tmp_path / "flat.jsonl", [each for tree in forest for each in tree]))
    inside, _ = rows_and_rejected(lines(tmp_path / "trees.jsonl", map(nested, forest)))
    assert contents(flat) == contents(inside)
    assert len(flat) > 20
    assert {row.line for row in inside} == set(range(1, 9))


# for each: the messages, the rows, and what is found at which lines
BROKEN = [
    (
        [message("ab", "a"), message("x", tree="x"), message("xy", "x", tree="x")],
        ["xy"],
        {1: "message a, which"},
    ),
    (
        [message("ab", "a"), message("abd", "ab"), message("abde", "abd")],
        [],
        {
            1: "message a, which is not there",
            2: "message ab, which is in no",
            3: "message abd, which is in no",
        },
    ),
    (
        [message("a"), message("ab", "a"), message("b"), message("bc", "b")],
        ["ab"],
        {3: "2 messages", 4: "b, which"},
    ),
    ([message("c", "c"), message("a"), message("ab", "a")], ["ab"], {1: "in a loop"}),
    (
        [message("b", "bcd"), message("bc", "b"), message("bcd", "bc"), message("bcde", "bcd")],
        [],
        {1: "in a loop", 2: "in a loop", 3: "in a loop", 4: "in a loop"},
    ),
    (
        [message("a"), message("ab", "a"), message("abc", "ab", deleted=True)],
        ["ab"],
        {3: "deleted or turned down"},
    ),
    (
        [message("a"), message("ab", "a", review_result=False)],
        [],
        {1: "a question that nobody", 2: "turned down"},
    ),
    (
        [message("a"), message("ab", "a", deleted=True, text=None), message("abc", "ab"), message("ac", "a")],
        ["ac"],
        {2: "deleted", 3: "message ab, which is in no whole conversation"},
    ),
    ([message("a"), message("ab", "a"), message("ab", "a")], ["ab"], {3: "message ab again, first at"}),
    ([message("a"), message("ab", "a", "moderator")], [], {2: "'role' of turn 2 is 'moderator'"}),
    (
        [message("a"), message("ab", "a", "prompter"), message("abc", "ab", "assistant")],
        [],
        {3: "turn 2 is user, expected assistant"},
    ),
    (
        [message("a"), message("ab", "a", text=7)],
        [],
        {1: "a question that nobody", 2: "'text' of message ab is a"},
    ),
    ([message("a"), message("ab", "a", text=" ")], [], {2: "turn 2 (assistant) is empty"}),
    ([message("a"), message("ab", ["a"])], [], {1: "a question that nobody", 2: "'parent_id' is an array"}),
    ([message("a"), message("ab", "a"), message("", "ab")], ["ab"], {3: "no 'message_id'"}),
    ([message("a", review_result=None), message("ab", "a", deleted=None)], ["ab"], {}),
    ([message("1"), message(12, 1, "assistant")], ["12"], {}),
]


@pytest.mark.parametrize(("messages", "ids", "found"), BROKEN)
def test_what_is_in_no_whole_conversation_is_rejected_at_its_place(tmp_path, messages, ids, found):
    rows, rejected = rows_and_rejected(lines(tmp_path / "a.jsonl", messages))
    assert [row.id for row in rows] == ids
    assert [row.line for row in rejected] == list(found)
    for row in rejected:
        assert found[row.line] in row.found
        assert row.expected


def test_a_line_that_cannot_be_read_breaks_only_what_replies_to_it(tmp_path):
    path = tmp_path / "a.jsonl"
    texts = [json.dumps(each) for each in TREE]
    path.write_text("\n".join(["{", *texts[:3], texts[3][:-1], *texts[4:]]))
    rows, rejected = rows_and_rejected(path)
    assert contents(rows) == {"ac": ["a", "ac"]}
    assert [row.line for row in rejected] == [1, 5, 6, 7, 8]
    assert "message abd, which is not there or cannot be read" in rejected[-1].found


def test_every_message_is_in_a_row_or_rejected(tmp_path):
    draw = random.Random(5)
    names = [str(number) for number in range(400)]
    messages = []
    for number, name in enumerate(names):
        # one written earlier, sometimes none or one that is not there, and now and then a later one: a loop
        near = names[max(0, number - 30) : number] or [None]
        parent = draw.choice([*near, None, "lost", *names[number : number + 2]])
        role = draw.choice(ROLES) if parent else "prompter"
        messages.append(message(name, parent, role, tree=None, deleted=draw.random() < 0.05))
    rows, rejected = rows_and_rejected(lines(tmp_path / "a.jsonl", messages))
    parents = {each["message_id"]: each["parent_id"] for each in messages}
    told = {turn.content.removeprefix("text of ") for row in rows for turn in row.turns}
    for row in rejected:
        name = names[row.line - 1]
        while name is not None and name not in told:
            told.add(name)
            # what leads to a rejected end is told by it
            name = parents.get(name)
    assert told - {"lost"} == set(names)
    assert len(rows) > 3
    assert len({row.expected for row in rejected}) > 3


def test_what_is_rejected_of_a_tree_is_one_line_with_its_number(tmp_path):
    tree = nested([*TREE, message("abh", "ab"), message("abdei", "abde")])
    path = lines(tmp_path / "a.jsonl", [tree, nested([message("x", tree="x"), message("xy", "x", tree="x")])])
    rows, (rejected,) = rows_and_rejected(path)
    assert set(contents(rows)) == {"ac", "abdf", "xy"}
    assert rejected.line == 1
    assert rejected.found.endswith("(and 2 more in this record)")


def test_a_tree_and_its_messages_are_the_same_rows(tmp_path):
    path = lines(tmp_path / "a.jsonl", [nested(TREE)])
    again = lines(tmp_path / "b.jsonl", TREE)
    rows = list(read_pool([path, again]))
    assert [row.id for row in rows if isinstance(row, Row)] == ["abde", "abdf", "ac"]
    places = [(row.file, row.line) for row in rows if isinstance(row, RejectedRow)]
    assert places == [(str(path), 1), *((str(again), line) for line in (3, 5, 6, 7))]


NESTED_MISFITS = [
    ({"message_tree_id": "a", "prompt": "q"}, "message 1 of the tree is text"),
    ({"message_tree_id": "a", "prompt": {"role": "prompter"}}, "'text' of message 1 is null"),
    (
        {"message_tree_id": "a", "prompt": {"text": "q", "role": "prompter", "replies": "none"}},
        "'replies' of message 1 is text",
    ),
    (
        {"message_tree_id": "a", "prompt": {"text": "q", "role": "prompter", "replies": [None]}},
        "a question that nobody answered (and 1 more in this record)",
    ),
]


@pytest.mark.parametrize(("record", "found"), NESTED_MISFITS)
def test_a_tree_that_is_none_is_rejected_and_reading_goes_on(tmp_path, record, found):
    rows, (rejected,) = rows_and_rejected(lines(tmp_path / "a.jsonl", [record, nested(TREE[:2])]))
    assert [row.id for row in rows] == ["ab"]
    assert (rejected.line, found in rejected.found) == (1, True), rejected.found


def test_a_nested_message_without_an_id_gives_a_row_named_by_its_content(tmp_path):
    reply = {"text": "A wren.", "role": "assistant", "replies": []}
    prompt = {"text": "Name a bird.", "role": "prompter", "replies": [reply, {**reply, "text": "An owl."}]}
    record = {"message_tree_id": "t", "prompt": prompt, "source": "birds"}
    rows, rejected = rows_and_rejected(lines(tmp_path / "a.jsonl", [record]))
    assert not rejected
    assert [row.turns[-1].content for row in rows] == ["A wren.", "An owl."]
    assert {(len(row.id), row.source) for row in rows} == {(16, "birds")}


def test_a_conversation_above_the_limit_is_rejected_though_its_messages_are_not(tmp_path):
    messages = [
        message("a", text="x" * 400),
        message("ab", "a", text="y" * 400),
        message("abc", "ab", text="z" * 400),
        message("abcd", "abc", text="w" * 400),
        message("ae", "a"),
    ]
    rows, (rejected,) = rows_and_rejected(lines(tmp_path / "a.jsonl", messages), max_row_bytes=1_500)
    assert [row.id for row in rows] == ["ae"]
    assert (rejected.line, rejected.found) == (4, "a record of 1,600 bytes")


def test_a_very_long_chain_is_followed(tmp_path):
    chain = [message("0", tree=None)]
    chain += [message(str(n), str(n - 1), ROLES[n % 2], tree=None) for n in range(1, 5_000)]
    rows, rejected = rows_and_rejected(lines(tmp_path / "a.jsonl", chain[::-1]))
    assert not rejected
    assert [(row.id, len(row.turns)) for row in rows] == [("4999", 5_000)]
