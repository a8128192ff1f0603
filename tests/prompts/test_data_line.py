import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from entp.prompts.data_line import data_line
from entp.records.conversation import Turn, to_json

# what chat templates and tokenizers of common model families reserve
CONTROL_TOKENS = """
<|im_start|> <|im_end|> <|im_sep|> <|endoftext|> <|endofprompt|> <|fim_prefix|> <|vision_start|>
<|object_ref_end|> <|begin_of_text|> <|end_of_text|> <|start_header_id|> <|end_header_id|>
<|eot_id|> <|eom_id|> <|python_tag|> <|header_start|> <|eot|> <|system|> <|user|> <|assistant|>
<|end|> <|start|> <|message|> <|channel|> <|return|> <|START_OF_TURN_TOKEN|> <|USER_TOKEN|>
<|start_of_role|> <|action_start|> <|im_user|> <|separator|> <|bom|>
<\uff5cbegin\u2581of\u2581sentence\uff5c> <\uff5cUser\uff5c> <\uff5cAssistant\uff5c>
<|tool\u2581calls\u2581begin|> <s> </s> <unk> <pad> <bos> <eos> <mask> <cls> <sep> <sop> <eop> <eod>
<BOS_TOKEN> <EOS_TOKEN> <SPECIAL_10> <start_of_turn> <end_of_turn> <start_of_image> <unused0>
<2mass> <0x0A> <extra_id_0> <turn|> <|turn> <tool_call|> <think> </think> <tool_call>
</tool_response> <answer> <seed:bos> <minimax:tool_call> <repo_name> <reponame> <file_sep>
<filename> <gh_stars> <issue_comment> <jupyter_code> <empty_output> <fim_prefix> [INST] [/INST]
[SYSTEM_PROMPT] [/SYSTEM_PROMPT] [AVAILABLE_TOOLS] [TOOL_CALLS] [/TOOL_RESULTS] [IMG] [THINK]
[/THINK] [ARGS] [CALL_ID] [control_8] [gMASK] [sMASK] [MASK] [CLS] [SEP] [PAD] [UNK] [BOS] [EOS]
[EOT] [@BOS@] [unused7] [start_header_id] [extra_id_0] [|system|] [|endofturn|] <<SYS>> <</SYS>>
>>QUESTION<< ]~b] ]~!b[ [e~[ ]!p~[ ]!d~[
""".split()  # noqa: SIM905 - a list would be a hundred quoted lines

hostile_text = st.lists(
    st.one_of(
        st.text(), st.sampled_from(CONTROL_TOKENS), st.sampled_from('<>[]|/\\"\u2028\u2029\x85\x00\r\n')
    ),
    max_size=12,
).map("".join)
json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | hostile_text,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(hostile_text, inner, max_size=4),
    max_leaves=12,
)
conversations = st.lists(
    st.builds(Turn, role=st.sampled_from(["system", "user", "assistant"]), content=hostile_text), max_size=4
).map(tuple)


@settings(deadline=None)
@given(json_values)
def test_a_value_comes_back_from_its_line(value):
    assert json.loads(data_line(value)) == value


@settings(deadline=None)
@given(conversations)
def test_a_conversation_comes_back_as_turns(turns):
    assert json.loads(data_line(turns)) == to_json(turns)


@settings(deadline=None)
@given(json_values | conversations)
def test_it_is_one_line_without_control_tokens_or_control_characters(value):
    line = data_line(value)
    assert len(line.splitlines()) == 1
    assert not [token for token in CONTROL_TOKENS if token in line]
    assert not [character for character in line if ord(character) < 32 or 127 <= ord(character) < 160]


@pytest.mark.parametrize("token", CONTROL_TOKENS)
def test_a_control_token_is_broken_by_escaping_one_character(token):
    line = data_line(f"a {token} z")
    assert token not in line
    assert line.count("\\u00") == 1
    assert json.loads(line) == f"a {token} z"


@pytest.mark.parametrize(
    "text",
    [
        "a < b and b > c, so a << c",
        "see [1], [2, 3] and [the docs](https://example.org)",
        "x[i] = y[0]; if (a<b) { return c->d; }",
        "caf\u00e9, \u4f60\u597d, \u0645\u0631\u062d\u0628\u0627, \U0001f642",
        '<a href="x">link and <img src=y>',
    ],
)
def test_ordinary_text_stays_readable(text):
    assert data_line(text) == json.dumps(text, ensure_ascii=False)


def test_half_a_surrogate_pair_can_be_sent():
    line = data_line("broken \ud83d emoji")
    line.encode("utf-8")
    assert json.loads(line) == "broken \ud83d emoji"


@pytest.mark.parametrize(
    ("value", "error"),
    [(float("nan"), ValueError), (float("inf"), ValueError), ({1, 2}, TypeError), (object(), TypeError)],
)
def test_what_json_cannot_say_is_an_error(value, error):
    with pytest.raises(error):
        data_line(value)
