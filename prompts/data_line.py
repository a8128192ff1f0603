"""Data as one line of JSON that cannot become structure.

llama.cpp, vLLM and others read the text of a control token inside a message as the token itself, so a row
that contains `<|im_end|>` would end the user's turn. Escaping the first character of whatever is written
like such a token prevents it without a list of models to keep up to date, and loses nothing: any JSON reader
gives the value back. About one row in a hundred is touched, mostly by HTML tags.
"""

from __future__ import annotations

import json
import re

from ..records.conversation import Turn

_ESCAPED = re.compile(
    r"""
      [\x7f-\x9f\u2028\u2029]                        # control characters and line separators
    | [\ud800-\udfff]                                # half a surrogate pair: has no UTF-8 form
    | [<\[]  (?= [|\uff5c] )                         # <|im_start|>  [|system|]  and with DeepSeek's wide bar
    | <      (?= /? [\w:\u2581-]+ [|\uff5c]? > )     # <s>  </think>  <turn|>  <<SYS>>
    | \[     (?= /?@? \w{,30} ([A-Z]{2}|_) \w{,30} @?\] ) # [INST]  [/TOOL_RESULTS]  [gMASK]  [@BOS@]
    | \[     (?= unused\d+ \] )                      # [unused7]
    | [\[\]] (?= ~!?b[\[\]] | !?[dep]~\[ )           # ]~b]  [e~[  and their like (MiniMax)
    | >      (?= > [A-Z]+ << )                       # >>QUESTION<<
    """,
    re.VERBOSE,
)


def data_line(value: object) -> str:
    """A JSON value as one line of JSON that holds no control token and that UTF-8 can carry.

    Turns and sequences of turns become objects with `role` and `content`. `json.loads` gives the value back;
    the one exception is two stray halves of a surrogate pair side by side, which become the character they
    stand for. Raises TypeError or ValueError for what JSON cannot say, NaN included.
    """
    line = json.dumps(value, ensure_ascii=False, allow_nan=False, default=_turn)
    return _ESCAPED.sub(lambda found: f"\\u{ord(found[0]):04x}", line)


def _turn(value: object) -> dict[str, str]:
    if not isinstance(value, Turn):
        message = f"{type(value).__name__} is not data for a prompt; give turns or plain JSON values"
        raise TypeError(message)
    return {"role": value.role, "content": value.content}
