"""What a revision changed of a text, measured by words: a template asks for limits that a model may not keep.

What is measured is kept with the attempt and shown. The loss, which is of the text alone, is not touched.
"""

from __future__ import annotations

import re
from collections import Counter

from pydantic import BaseModel, ConfigDict

from ..nodes.templates import Writer
from ..records.conversation import Conversation
from .terms import Word, is_quoted, words_of

# a template asks for about a fifth; beyond this share a text was written again, not revised
MOST_CHANGED = 0.5
# a removal may need a few words to join what is left
MOST_ADDED = 0.2
_SENTENCE = re.compile("[^.!?\u3002\uff01\uff1f\n]*[?\uff1f]")


class Edit(BaseModel):
    """What a revision did to the part of a text that its template lets it change.

    `changed` is the share of words (0-1) that are no longer there or new, moved ones not counted; `added` is
    the share of the new text's words that the old one does not have. `questions_kept` says whether the
    questions that were to stay are there; None where none was to. `faults` say what was asked for otherwise.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    changed: float
    added: float
    questions_kept: bool | None = None
    faults: list[str] = []


def measured(template: Writer, before: Conversation, after: Conversation) -> Edit | None:
    """What a template's revision changed; None for a template that is free to write what it likes."""
    if template.limit is None:
        return None
    old, new = (_limited(template, turns) for turns in (before, after))
    counts = [Counter(word.text.casefold() for word in words) for words in (old, new)]
    common = (counts[0] & counts[1]).total()
    changed, added = (1 - common / most if most else 0.0 for most in (max(len(old), len(new)), len(new)))
    kept = _questions_kept(template, before, after)
    faults = []
    if template.limit == "removal" and added > MOST_ADDED:
        faults.append(f"{added:.0%} of its words are new, and it was only to remove")
    elif template.limit != "removal" and changed > MOST_CHANGED:
        faults.append(f"{changed:.0%} of the words changed, and about 20 % was the limit")
    if kept is False:
        faults.append("a question that was to stay is not there")
    return Edit(changed=round(changed, 3), added=round(added, 3), questions_kept=kept, faults=faults)


def _limited(template: Writer, turns: Conversation) -> list[Word]:
    """The words of what the limit is about."""
    parts = {"conversation": turns, "before the answer": turns[:-1], "removal": turns[-1:]}
    return words_of(*(turn.content for turn in parts[template.limit or "conversation"]))


def _questions_kept(template: Writer, before: Conversation, after: Conversation) -> bool | None:
    """Whether the questions still stand in the user parts; a template for context extends the last one."""
    if template.limit == "removal":
        return None
    asked = [turn.content for turn in before if turn.role == "user"]
    questions = [
        found
        for text in asked[: -1 if "context" in template.unmet else None]
        for found in _SENTENCE.findall(text)
    ]
    if not questions:
        return None
    words = words_of(*(turn.content for turn in after if turn.role == "user"))
    return all(is_quoted(question, words) for question in questions)
