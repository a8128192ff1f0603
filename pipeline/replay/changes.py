"""What changed between two texts or conversations, in words."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher
from itertools import zip_longest

from ...graph.state import TurnJson

# texts that share less are shown one after the other: bits of each would be hard to read
ALIKE = 0.6
# how many words of what stayed the same are shown on either side of a change
AROUND = 6

_NOBODY: TurnJson = {"role": "", "content": ""}


def changed_turns(before: Sequence[TurnJson], after: Sequence[TurnJson]) -> list[str]:
    """The turns that differ, a line each: who speaks, and the text with its changes marked."""
    pairs = zip_longest(before, after, fillvalue=_NOBODY)
    return [
        f"{new['role'] or old['role']}: {marked(old['content'], new['content'])}"
        for old, new in pairs
        if old != new
    ]


def marked(before: str, after: str) -> str:
    """The later text, with `[-what went-]` and `{+what came+}`; longer stretches in between are cut short."""
    # white space counts, and keeps its place
    old, new = (re.findall(r"\s+|\S+", text) for text in (before, after))
    return "".join(_marked(old, new))


def _marked(old: list[str], new: list[str]) -> Iterator[str]:
    matcher = SequenceMatcher(None, old, new, autojunk=False)
    if matcher.ratio() < ALIKE:
        yield f"[-{''.join(old)}-]" * bool(old) + f"{{+{''.join(new)}+}}" * bool(new)
        return
    parts = matcher.get_opcodes()
    for at, (kind, old_from, old_to, new_from, new_to) in enumerate(parts):
        went, same = "".join(old[old_from:old_to]), new[new_from:new_to]
        came = "".join(same)
        # two pieces a word: the word and the space behind it
        head, tail = 2 * AROUND * (at > 0), 2 * AROUND * (at < len(parts) - 1)
        if kind != "equal":
            yield f"[-{went}-]" * bool(went) + f"{{+{came}+}}" * bool(came)
        elif len(same) <= head + tail + 2:
            yield came
        else:
            kept = "".join(same[:head]).rstrip(), "".join(same[len(same) - tail :]).lstrip()
            yield " … ".join(kept)
