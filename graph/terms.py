"""Does a key term, or a quotation, stand in a text: the symbolic check on the model's word.

It is made to prove, not to guess: what it finds stands there, what it does not find may still be there in
other words, and the model's word counts.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import NamedTuple, TypeAlias
from unicodedata import normalize

# a dash that separates is punctuation; hyphens of all kinds, slashes and underscores join words that others
# write apart
_DASHES = re.compile(
    r"\s+[\u2010-\u2015\u2212-]+\s+|[\u2014\u2015]+|\s*\n\s*(?:\n|[-*\u2022]\s|\d+[.)]\s)\s*"
)
# of an encyclopedia's text, set directly behind a word
_REFERENCE = re.compile(r"\[\d{1,3}\]")
_JOINERS = re.compile(r"[\s\u2010-\u2013\u2212/_-]+")
# scripts that write no space between words, or join particles to them: each character is taken for a word
_UNSPACED = re.compile(
    "[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af\U00020000-\U0003ffff]"
)
_OPENING = "([{<\"'`*\u2018\u201c\u00ab#>"
_CLOSING = ")]}>\"'`*\u2019\u201d\u00bb"
_STOPS = ".,;:!?\u2026\u3001\u3002\uff0c\uff1f\uff01"
_ELLIPSIS = re.compile(r"\.{3,}|\u2026")
# letters up to which a word is compared with case, and which the singular of a plural must have
_SHORT = 4


class Word(NamedTuple):
    """A word of a text.

    `forms` are its lower case and what that may be the plural of; `stop` says whether a sentence, or a part
    of one, ends after it.
    """

    text: str
    forms: frozenset[str]
    stop: bool


_Same: TypeAlias = Callable[[Word, Word], bool]


def words_of(*texts: str) -> list[Word]:
    """The words of texts, in Unicode's compatible form, without what stands around them.

    Signs inside or at the end of a word stay, so that `C`, `C#` and `C++` are three words. After the last
    word of each text a run of words ends.
    """
    found: list[Word] = []
    for text in texts:
        whole = _REFERENCE.sub("", normalize("NFKC", text))
        plain = _DASHES.sub(" , ", whole.replace("\u00ad", "").replace("\u2019", "'"))
        for part in _JOINERS.split(_UNSPACED.sub(r" \g<0> ", plain)):
            bare = part.lstrip(_OPENING + ".").rstrip(_CLOSING)
            core = bare.rstrip(_STOPS + _CLOSING)
            if core:
                found.append(Word(core, _forms(core.casefold()), len(core) < len(bare)))
            elif part and found:
                found[-1] = found[-1]._replace(stop=True)
        if found:
            found[-1] = found[-1]._replace(stop=True)
    return found


def stands_in(term: str, words: Sequence[Word]) -> bool:
    """Whether the words of `term` stand next to each other, in order and in one sentence.

    A word may be in the plural on either side. Case counts where it tells words apart: capitals inside a
    word, or in one of up to four letters, and a capital at the beginning of a term of one word.
    """
    wanted = words_of(term)
    return not wanted or _run(wanted, words, _same_as_in_term if len(wanted) > 1 else _same_alone)


def is_quoted(quotation: str, words: Sequence[Word]) -> bool:
    """Whether a quotation is taken from a text; case and punctuation may differ, dots may leave words out."""
    parts = [words_of(part) for part in _ELLIPSIS.split(quotation)]
    return all(_run(_unbroken(part), _unbroken(words), _same_folded) for part in parts if part)


def same_term(one: str, other: str) -> bool:
    """Whether two spellings name one term: case, plurals, hyphens, quotes and Unicode forms do not count."""
    left, right = words_of(one), words_of(other)
    return len(left) == len(right) and _run(_unbroken(left), _unbroken(right), _same_folded)


def is_foreign(term: str, words: Sequence[Word]) -> bool:
    """Whether no word of a term stands in a text: then it is no term of it, in whatever form."""
    there = frozenset[str]().union(*(word.forms for word in words))
    return all(word.forms.isdisjoint(there) for word in words_of(term))


def _unbroken(words: Sequence[Word]) -> list[Word]:
    return [word._replace(stop=False) for word in words]


def _run(wanted: Sequence[Word], words: Sequence[Word], same: _Same) -> bool:
    last = len(wanted) - 1
    return any(
        all(
            same(word, words[start + at]) and (at == last or words[start + at].stop <= word.stop)
            for at, word in enumerate(wanted)
        )
        for start in range(len(words) - last)
    )


def _same_folded(term: Word, word: Word) -> bool:
    return not term.forms.isdisjoint(word.forms)


def _same_as_in_term(term: Word, word: Word) -> bool:
    """The same word, with the capitals inside it; in a short word there may be no others."""
    if term.forms.isdisjoint(word.forms):
        return False
    wanted, found = term.text, word.text
    small = wanted[1:] == wanted[1:].lower()
    if small and len(wanted) > _SHORT:
        return True
    shared = min(len(wanted), len(found))
    return wanted[1:shared] == found[1:shared] and (small or wanted[0] == found[0])


def _same_alone(term: Word, word: Word) -> bool:
    """The same word, and a capital where the term begins with one: an Apple is no apple."""
    return _same_as_in_term(term, word) and (not term.text[0].isupper() or word.text[0].isupper())


@lru_cache(maxsize=1 << 16)
def _forms(word: str) -> frozenset[str]:
    """A word in lower case, and what it may be the plural of."""
    found = {word}
    if word.endswith("s") and not word.endswith(("ss", "us", "is")):
        found.add(word[:-1])
        if word.endswith("ies"):
            found.add(f"{word[:-3]}y")
        if word.endswith("ses"):
            found.add(f"{word[:-2]}is")
        if word.endswith(("ses", "xes", "zes", "ches", "shes")):
            found.add(word[:-2])
    return frozenset(each for each in found if each == word or len(each) >= _SHORT)
