r"""One text for a conversation, each turn under a heading of its own line.

    ### User
    <question>

    ### Assistant
    <answer>

A system turn stands first, under `### System`. A line of a turn that looks like a heading gets a backslash
before its `###` (`\### User`, which Markdown shows as plain text); a line that has backslashes there gets one
more. So data never becomes structure, and `from_text` restores every turn exactly. `to_markers` writes the
string that the paper trains on (arXiv 2510.23160, Appendix D.1.2), which has no blank line between turns.
"""

from __future__ import annotations

import re

from ..records.conversation import Conversation, Role, Turn
from .misfit import Misfit

_HEADINGS: dict[Role, str] = {"system": "### System", "user": "### User", "assistant": "### Assistant"}
_ROLES = {heading: role for role, heading in _HEADINGS.items()}

# generous: other programs may split at headings in other letters, indented, or after other line ends
_LINE_ENDS = r"\n\r\v\f\x1c-\x1e\x85\u2028\u2029"
_SPACES = rf"[^\S{_LINE_ENDS}]*"
_LIKE_A_HEADING = re.compile(
    rf"(?<![^{_LINE_ENDS}])(?P<before>{_SPACES}\\*)(?P<after>###{_SPACES}(?:system|user|assistant)\b)",
    re.IGNORECASE,
)
_BETWEEN_TURNS = re.compile(rf"(?:\A|\n\n)({'|'.join(_ROLES)})\n")


def to_text(turns: Conversation) -> str:
    """The turns as one text."""
    return "\n\n".join(f"{_HEADINGS[turn.role]}\n{_escaped(turn.content)}" for turn in turns)


def to_markers(turns: Conversation) -> str:
    """The turns as the paper's marker string."""
    return "\n".join(f"{_HEADINGS[turn.role]}\n{_escaped(turn.content)}" for turn in turns)


def from_text(text: str) -> Conversation:
    """The turns of a text that `to_text` wrote; Misfit where it does not begin with a heading."""
    before, *parts = _BETWEEN_TURNS.split(text)
    if before or not parts:
        raise Misfit(text, f"a text that begins with {' or '.join(_ROLES)}")
    pairs = zip(parts[::2], parts[1::2], strict=True)
    return tuple(Turn(role=_ROLES[heading], content=_unescaped(content)) for heading, content in pairs)


def _escaped(content: str) -> str:
    return _LIKE_A_HEADING.sub(r"\g<before>\\\g<after>", content)


def _unescaped(content: str) -> str:
    return _LIKE_A_HEADING.sub(lambda found: found["before"].removesuffix("\\") + found["after"], content)
