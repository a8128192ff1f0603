"""What changed between two texts, in words."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from entp.pipeline.replay.changes import changed_turns, marked

TEXT = "The quick brown fox jumps over the lazy dog while the cat sleeps on the mat in the afternoon sun."


def test_words_that_went_and_came_are_marked():
    assert marked("a small red house", "a small blue house") == "a small [-red-]{+blue+} house"
    assert marked("one two three", "one two") == "one two[- three-]"
    assert marked("", "new") == "{+new+}"
    assert marked("old", "") == "[-old-]"


def test_what_stayed_is_cut_short_between_changes():
    told = marked(TEXT, TEXT.replace("The", "A").replace("sun", "shade"))
    kept = "quick brown fox jumps over the … on the mat in the afternoon"
    assert told == f"[-The-]{{+A+}} {kept} [-sun.-]{{+shade.+}}"
    assert marked(TEXT, f"{TEXT} Then.") == " … the mat in the afternoon sun.{+ Then.+}"


def test_texts_with_little_in_common_stand_one_after_the_other():
    assert (
        marked("one two three four", "nine two eight seven")
        == "[-one two three four-]{+nine two eight seven+}"
    )


@given(st.text("ab \n"), st.text("ab \n"))
def test_both_texts_can_be_read_from_the_marks(before, after):
    told = marked(before, after)
    came = re.sub(r"\{\+(.*?)\+\}", r"\1", re.sub(r"\[-.*?-\]", "", told, flags=re.S), flags=re.S)
    went = re.sub(r"\[-(.*?)-\]", r"\1", re.sub(r"\{\+.*?\+\}", "", told, flags=re.S), flags=re.S)
    if "…" not in told:
        assert (went, came) == (before, after)


def test_only_turns_that_differ_are_told():
    before = [{"role": "user", "content": "Why?"}, {"role": "assistant", "content": "So."}]
    after = [before[0], {"role": "assistant", "content": "So it is."}]
    assert changed_turns(before, after) == ["assistant: [-So.-]{+So it is.+}"]
    assert changed_turns(before, before) == []
    assert changed_turns(before, [*before, {"role": "user", "content": "Then?"}]) == ["user: {+Then?+}"]
    assert changed_turns(before, before[:1]) == ["assistant: [-So.-]"]
