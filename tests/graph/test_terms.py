"""Whether a key term stands in a text."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from entp.graph.terms import is_foreign, is_quoted, same_term, stands_in, words_of


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
        ("process", "three processes"),
        ("class", "the classes"),
        ("analysis", "several analyses"),
        ("boxes", "the boxes"),
        ("US Senate", "the US senate"),
        ("WHO", "The WHO said so"),
        ("United States", "in the United States."),
        ("Plant Cell", "of plant cells"),
        ("learning", "Learning is fun"),
        ("St. Louis", "He lives in St. Louis now"),
        ("Earth's crust", "the Earth\u2019s crust"),
        ("head-tail events", "head\u2013tail events"),
        ("ﬁeld", "a field"),
        ("West Africa", "found in West Africa.[65] It is"),
        ("a[65]", "the array a[65] holds"),
        ("光合作用", "植物的光合作用把光能变成化学能。"),
        ("東京タワー", "昨日、東京タワーに登りました。"),
        ("광합성", "광합성은 빛을 화학 에너지로 바꾼다."),
        ("การสังเคราะห์แสง", "พืชใช้การสังเคราะห์แสงเพื่อสร้างอาหาร"),
    ],
)
def test_it_stands_there(term, text):
    assert stands_in(term, words_of(text))


@pytest.mark.parametrize(
    ("term", "text"),
    [
        ("C++", "written in C"),
        ("C", "written in C#"),
        ("cell", "a cellar"),
        ("plant cell", "a cell of a plant"),
        ("learning machine", "machine learning"),
        ("WHO", "Who invented the vaccine?"),
        ("US", "Tell us more"),
        ("IT", "It is raining"),
        ("AIDS", "first aid"),
        ("news", "A new product"),
        ("Apple", "an apple a day"),
        ("who", "The WHO said so"),
        ("data science", "We collected data. Science is fun."),
        ("data science", "Is it data? Science it is."),
        ("data science", "data, science and art"),
        ("data science", "data \u2013 science comes later"),
        ("data science", "- data\n- science"),
        ("lens", "Lena's"),
        ("US Senate", "tell us Senate rules"),
        ("iPhone", "an iphone"),
        ("光合作用", "光合的作用"),
        ("光合作用", "植物光合。作用很大。"),
    ],
)
def test_it_does_not(term, text):
    assert not stands_in(term, words_of(text))


@pytest.mark.parametrize(
    ("term", "foreign"),
    [
        ("spring tides", False),
        ("Tide table", False),
        ("lg", True),
        ("USC.com.au", True),
        ("harbour seal", True),
    ],
)
def test_a_term_without_a_word_in_a_text_is_foreign_to_it(term, foreign):
    assert (
        is_foreign(term, words_of("Why do tides come twice a day?", "The Moon's pull; a spring tide."))
        == foreign
    )


@given(st.lists(st.from_regex(r"[a-z]{1,12}", fullmatch=True), min_size=1, max_size=8), st.data())
def test_every_run_of_words_of_a_text_stands_in_it(words, data):
    start = data.draw(st.integers(0, len(words) - 1))
    stop = data.draw(st.integers(start + 1, len(words)))
    assert stands_in(" ".join(words[start:stop]), words_of(" ".join(words)))


def test_a_run_of_words_ends_where_a_turn_ends():
    assert stands_in("data science", words_of("about data science"))
    assert not stands_in("data science", words_of("Give me data", "Science is fun"))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Head-Tail events", "head\u2013tail event"),
        ("e-mail", "E\u2011mail"),
        ("“neural network”", "Neural networks"),
        ("Earth's", "Earth\u2019s"),
    ],
)
def test_spellings_of_one_term(one, other):
    assert same_term(one, other)
    assert same_term(other, one)
    assert not same_term(one, f"{other} again")


@pytest.mark.parametrize(
    ("quotation", "stands"),
    [
        ("The sky is large.", True),
        ("the sky is large", True),
        ("It is blue. The sky", True),
        ("It is ... large", True),
        ("**The sky** is large!", True),
        ("Rayleigh scattering of short waves.", False),
        ("The sky is blue", False),
        ("The sky ... scattering", False),
    ],
)
def test_a_quotation(quotation, stands):
    assert is_quoted(quotation, words_of("It is blue. The sky is large.")) == stands
