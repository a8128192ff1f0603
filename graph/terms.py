"""Does a key term stand in a text: the symbolic check on the model's word about terms."""

from __future__ import annotations

import re
from functools import lru_cache

# hyphens of all kinds, slashes and underscores join words that others write apart
_JOINERS = re.compile(r"[\s\u00ad\u2010-\u2015_/-]+")
_EDGES = ".,;:!?()[]{}<>\"'`*\u2018\u2019\u201c\u201d\u2026"


def folded_words(text: str) -> list[str]:
    """The words of a text with case, white space, hyphens and simple plurals folded.

    Signs inside or at the end of a word stay, so that `C`, `C#` and `C++` are three words.
    """
    return [word for word in map(_folded, _JOINERS.split(text.casefold())) if word]


@lru_cache(maxsize=1 << 16)
def _folded(word: str) -> str:
    """A word of a text without its edges and without the ending of a simple plural."""
    word = word.strip(_EDGES)
    if len(word) > 4 and word.endswith("ies"):
        return word[:-3] + "y"
    if len(word) > 3 and word.endswith("s") and not word.endswith(("ss", "us", "is")):
        return word[:-1]
    return word


def stands_in(term: str, words: list[str]) -> bool:
    """Whether the words of `term` stand next to each other, in order, among the folded words of a text."""
    wanted = folded_words(term)
    if not wanted:
        return True
    return any(words[i : i + len(wanted)] == wanted for i in range(len(words) - len(wanted) + 1))
