"""Documents whose commands are run and whose printed blocks are compared with what they print."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from contextlib import redirect_stdout
from io import StringIO
from typing import Any, NamedTuple

from entp.cli.main import entp

LEFT_OUT = "..."
RUN = {"sh", "python"}
PRINTED = {"", "json"}


class Shown(NamedTuple):
    """What a document says to run, and what it says is printed; None where it says nothing."""

    language: str
    code: str
    printed: str | None


def shown_in(text: str) -> Iterator[Shown]:
    """Every block to run, with the block of output that comes next."""
    blocks = re.findall(r"^```(\w*)\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)
    for at, (language, code) in enumerate(blocks):
        if language in RUN:
            following = blocks[at + 1] if at + 1 < len(blocks) else ("sh", "")
            yield Shown(language, code, following[1] if following[0] in PRINTED else None)


def ran(shown: Shown, names: dict[str, Any]) -> str:
    """What a block prints; `names` are those that the Python blocks of a document share."""
    with redirect_stdout(StringIO()) as out:
        if shown.language == "python":
            exec(shown.code, names)
        for line in shown.code.splitlines() if shown.language == "sh" else ():
            words = shlex.split(line, comments=True)
            if words and words[0] == "entp":
                assert entp.main(words[1:], standalone_mode=False) == 0, line
    return out.getvalue()


def fits(shown: str, printed: str) -> bool:
    """Whether lines are those printed; a line of three dots stands for any that are left out."""
    parts = [
        r"(?:.*\n)*?" if line.strip() == LEFT_OUT else re.escape(line.rstrip()) + r"\n"
        for line in shown.splitlines()
    ]
    lines = "".join(f"{line.rstrip()}\n" for line in printed.splitlines())
    return re.fullmatch("".join(parts), lines) is not None
