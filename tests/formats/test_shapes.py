"""Which record is which shape, and what turns it holds."""

import json

import pytest

from entp.formats.misfit import Misfit
from entp.formats.pool import open_pool, read_pool
from entp.formats.shapes import SHAPES
from entp.records.conversation import from_json
from entp.records.rows import Row

ASKED = [("user", "Name a bird."), ("assistant", "A wren.")]
LONGER = [("system", "Be short."), *ASKED, ("user", "Another?"), ("assistant", "An owl.")]

RECORDS = [
    ("alpaca", {"instruction": "Name a bird.", "input": "", "output": "A wren."}, ASKED),
    ("alpaca", {"instruction": "Name a bird.", "output": "A wren."}, ASKED),
    (
        "alpaca",
        {"instruction": "Name it.", "input": "small, brown", "output": "A wren."},
        [("user", "Name it.\nsmall, brown"), ("assistant", "A wren.")],
    ),
    (
        "alpaca",
        {
            "instruction": "Another?",
            "input": None,
            "output": "An owl.",
            "system": "Be short.",
            "history": [["Name a bird.", "A wren."]],
        },
        LONGER,
    ),
    ("dolly", {"instruction": "Name a bird.", "context": "", "response": "A wren.", "category": "qa"}, ASKED),
    (
        "dolly",
        {"instruction": "Which bird?", "context": "Wrens sing.", "response": "A wren."},
        [("user", "Which bird?\nWrens sing."), ("assistant", "A wren.")],
    ),
    ("messages", {"messages": [{"role": role, "content": text} for role, text in LONGER]}, LONGER),
    (
        "messages",
        {"prompt": "x", "messages": [{"role": r, "content": t, "name": "n"} for r, t in ASKED]},
        ASKED,
    ),
    (
        "messages",
        {"messages": [{"role": "system", "content": " "}, *({"role": r, "content": t} for r, t in ASKED)]},
        ASKED,
    ),
    (
        "sharegpt",
        {"conversations": [{"from": "human", "value": "Name a bird."}, {"from": "gpt", "value": "A wren."}]},
        ASKED,
    ),
    (
        "sharegpt",
        {
            "system": "Be short.",
            "conversations": [
                {"from": "User", "value": "Name a bird."},
                {"from": "chatgpt", "value": "A wren."},
                {"role": "user", "content": "Another?"},
                {"role": "assistant", "content": "An owl."},
            ],
        },
        LONGER,
    ),
    (
        "sharegpt",  # WizardLM V2 has numbers as text under a key of its own
        {
            "idx": "7",
            "conversations": [
                {"from": "human", "value": "Name a bird."},
                {"from": "gpt", "value": "A wren."},
            ],
        },
        ASKED,
    ),
    ("flan", {"inputs": "Name a bird.", "targets": "A wren.", "task_name": "birds:1.0.0"}, ASKED),
    ("prompt_completion", {"prompt": "Name a bird.", "completion": "A wren."}, ASKED),
    (
        "prompt_completion",
        {
            "prompt": [{"role": role, "content": text} for role, text in LONGER[:-1]],
            "completion": [{"role": "assistant", "content": "An owl."}],
        },
        LONGER,
    ),
]


@pytest.mark.parametrize(("name", "record", "turns"), RECORDS)
def test_a_record_is_recognised_and_read(tmp_path, name, record, turns):
    path = tmp_path / "some.jsonl"
    path.write_text(json.dumps(record) + "\n")
    assert open_pool(path).shape == name
    (row,) = read_pool([path])
    assert isinstance(row, Row)
    assert [(turn.role, turn.content) for turn in row.turns] == turns


def test_the_shape_is_that_of_most_of_the_first_records(tmp_path):
    path = tmp_path / "mixed.jsonl"
    stray = {"prompt": "a", "completion": "b"}
    dolly = [{"instruction": f"Ask {n}", "response": "Told"} for n in range(3)]
    path.write_text("\n".join(["not json", json.dumps(stray), *map(json.dumps, dolly)]))
    assert open_pool(path).shape == "dolly"
    rows = list(read_pool([path]))
    assert [type(row).__name__ for row in rows] == ["RejectedRow", "RejectedRow", "Row", "Row", "Row"]
    assert "no 'instruction' (keys: prompt, completion)" in rows[1].found


MISFITS = [
    ({"messages": "hello"}, "'messages' is text"),
    ({"messages": []}, "no user or assistant turn"),
    ({"messages": ["hello"]}, "item 1 of 'messages' is text"),
    ({"messages": [{"role": "user", "content": "q"}]}, "the last turn is user"),
    ({"messages": [{"role": "assistant", "content": "a"}]}, "turn 1 is assistant"),
    ({"messages": [{"role": "tool", "content": "q"}]}, "'role' of turn 1 is 'tool'"),
    ({"messages": [{"role": 3, "content": "q"}]}, "'role' of turn 1 is a number"),
    ({"messages": [{"content": "q"}]}, "'role' of turn 1 is null"),
    ({"messages": [{"role": "user", "content": ["q"]}]}, "'content' of turn 1 is an array"),
    ({"messages": [{"role": "user"}]}, "'content' of turn 1 is null"),
    ({"conversations": [{"from": "human", "text": "q"}]}, "'value' of turn 1 is null"),
    (
        {"conversations": [{"from": "system", "value": "s"}] * 2 + [{"from": "human", "value": "q"}]},
        "turn 1 is system",
    ),
    ({"instruction": "q", "output": 4}, "'output' is a number"),
    ({"instruction": "q", "output": "a", "input": {}}, "'input' is an object"),
    ({"instruction": "q", "output": "a", "history": [["only one"]]}, "item 1 of 'history' is not a pair"),
    ({"instruction": " \n", "output": "a"}, "turn 1 (user) is empty"),
    ({"instruction": "q", "response": "\t"}, "turn 2 (assistant) is empty"),
    ({"inputs": "q", "targets": ["a"]}, "'targets' is an array"),
    ({"prompt": True, "completion": "a"}, "'prompt' is true or false"),
    ({"prompt": "q", "completion": "a\0"}, "a NUL character in turn 2"),
    ({"prompt": "q\ud83d", "completion": "a"}, "half of a surrogate pair in turn 1 (user), character 2"),
]


@pytest.mark.parametrize(("record", "found"), MISFITS)
def test_a_record_that_does_not_fit_is_rejected_and_reading_goes_on(tmp_path, record, found):
    path = tmp_path / "some.jsonl"
    shape = next(shape for shape in SHAPES if shape.recognises(record))
    good = {key: GOOD[key] for key in shape.keys}
    path.write_text(f"{json.dumps(record)}\n{json.dumps(good)}\n")
    rejected, row = read_pool([path])
    assert rejected.line == 1
    assert found in rejected.found
    assert rejected.expected
    assert row.line == 2


GOOD = {
    "messages": [{"role": "user", "content": "q"}, {"role": "assistant", "content": "a"}],
    "conversations": [{"from": "human", "value": "q"}, {"from": "gpt", "value": "a"}],
    "instruction": "q",
    "output": "a",
    "response": "a",
    "prompt": "q",
    "completion": "a",
    "inputs": "q",
    "targets": "a",
}


@pytest.mark.parametrize("shape", [shape for shape in SHAPES if shape.write], ids=lambda shape: shape.name)
def test_a_shape_that_can_be_written_reads_its_own_records(shape):
    turns = from_json([{"role": role, "content": text} for role, text in LONGER])
    record = shape.write(turns)
    assert shape.recognises(record)
    assert set(record) <= {*shape.keys, *shape.optional}
    assert shape.read(record) == turns


def test_a_null_key_recognises_nothing():
    alpaca = next(shape for shape in SHAPES if shape.name == "alpaca")
    assert not alpaca.recognises({"instruction": "q", "output": None})
    with pytest.raises(Misfit, match="no 'output'"):
        alpaca.read({"instruction": "q", "output": None})
