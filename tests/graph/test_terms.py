"""Whether a key term stands in a text."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from entp.graph.terms import folded_words, stands_in


@pytest.mark.parametrize(
    ("term", "text"),
    [
        ("machine learning", "Machine-Learning is a field"),
        ("neural network", "many neural networks."),
        ("analysis", "an analysis of it"),
        ("theory", "several theories"),
        ("e-mail", "send an e mail"),
        ("C++", "written in C++, not C"),
        ("bus", "a bus stop"),
        ("“quotes”", "with quotes around"),
    ],
)
def test_it_stands_there(term, text):
    assert stands_in(term, folded_words(text))


@pytest.mark.parametrize(
    ("term", "text"),
    [
        ("C++", "written in C"),
        ("C", "written in C#"),
        ("cell", "a cellar"),
        ("plant cell", "a cell of a plant"),
        ("learning machine", "machine learning"),
    ],
)
def test_it_does_not(term, text):
    assert not stands_in(term, folded_words(text))


@given(st.lists(st.from_regex(r"[a-z]{1,12}", fullmatch=True), min_size=1, max_size=8), st.data())
def test_every_run_of_words_of_a_text_stands_in_it(words, data):
    start = data.draw(st.integers(0, len(words) - 1))
    stop = data.draw(st.integers(start + 1, len(words)))
    assert stands_in(" ".join(words[start:stop]).upper(), folded_words(", ".join(words)))
