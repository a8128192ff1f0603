"""Content classes that the paper leaves out of fusion (arXiv 2510.23160, Section G), found by rule.

The rules, tried in this order; the first that fits decides:

code   a fenced block (three backticks) not marked as text or a table;
       or an order to write a program, a query or a page in a named language, or a regular expression, with
       no comma in between; or "how to code ...";
       or two lines that only programs have (`def f(x):`, `#include <a>`, `SELECT a FROM b`, `<div>`, ...);
       or three lines that end in `{` or `}`, or in `;` after an assignment, a call or two words at most
table  two lines in a row with the same number, two or more, of `|` or of tabs, each with something to read
       or a rule between the bars, so that drawings in characters do not count;
       or three in a row with the same number, three or more, of commas without a blank behind them;
       or an order to make a table or to give something as CSV
math   a LaTeX command or formula; or an equation; or two sums such as `12 * 7`, or a sign such as \u221a;
       or a mathematical task ("solve for x", "derivative of", "area of a triangle", "how many ... in total");
       or a question for a number ("how many", "how long") on a line that gives two numbers before it

A row that fits none is None: ordinary text. The rules favour leaving a row in: one figure, one line that
looks like a program's, or one bar is not enough.
"""

from __future__ import annotations

import re
from itertools import islice

from ..records.vocabulary import ContentClass

_FENCE = re.compile(r"^[ \t]*```(?!\s*(?:text|txt|markdown|md|csv|table)\b)", re.MULTILINE | re.IGNORECASE)
# a program's lines are short; the forms below would try every split of a long one
_LONGEST_LINE = 500
_PROGRAM_LINE = re.compile(
    r"[ \t]*(?:"
    + "|".join(
        (
            r"def \w+\(.*\).*:",
            r"class \w+(?:\(.*\))?:",
            r"from [\w.]+ import ",
            r"import [\w.]+(?: as \w+)?;?[ \t]*$",
            r"#include[ \t]*[<\"]",
            r"using (?:namespace )?[\w.]+;",
            r"(?:public|private|protected) (?:static |final )?(?:class |void |int |String )",
            r"(?:export )?(?:async )?function[ \t]*\w*[ \t]*\(",
            r"(?:const|let|var) \w+[ \t]*=",
            r"(?:int|void|double|float|char|bool|string|String) \w+[ \t]*[(=;]",
            r"(?:for|while|if)[ \t]*\(.*\)[ \t]*\{?[ \t]*$",
            r"for \w+(?:, ?\w+)* in .+:[ \t]*$",
            r"(?:if|elif|while) [^,]*(?:==|<|>|\bnot\b|\bin\b).*:[ \t]*$",
            r"(?:else|try):[ \t]*$",
            r"return [\w\[(\"'][^.]*;[ \t]*$",
            r"print[ \t]*\(",
            r"console\.log\(",
            r"System\.out\.",
            r"\w+[ \t]*=[ \t]*[\w.]*[\[({].*[)\]}][ \t]*$",
            # SQL as something that a row may hold; no store is asked in it here
            r"SELECT [\w*].* FROM ",
            r"(?:INSERT INTO|CREATE TABLE|DELETE FROM) \w",
            r"</?(?:html|head|body|div|span|p|ul|li|table|tr|td|form|script|style|title|h[1-6])\b[^\n]*>",
            r"[.#]?[\w-]+[ \t]*\{[ \t]*$",
        )
    )
    + ")"
)
# a list in prose may end its lines in semicolons too: such a line assigns, calls, or is of two words at most
_PROGRAM_END = re.compile(r".*(?:[{}]|(?:=.*|\w\(.*);)[ \t]*$|[ \t]*\w+(?: \w+)?;[ \t]*$")
_ORDER = (
    r"\b(?:write|create|generate|implement|develop|design|construct|build"
    r"|edit|rewrite|debug|fix|optimi[sz]e|convert)\b"
)
_LANGUAGE = (
    r"\b(?:python|java|javascript|typescript|c\+\+|c#|ruby|php|sql|html|css"
    r"|golang|rust|swift|kotlin|bash)(?!\w)"
)
_PROGRAM = r"\b(?:code|program|script|function|class|method|query|page|webpage|regex|algorithm|snippet)\b"
_PROGRAM_TASK = re.compile(
    rf"{_ORDER}[^.,\n]{{0,60}}(?:{_LANGUAGE}[^.,\n]{{0,40}}{_PROGRAM}|{_PROGRAM}[^.,\n]{{0,60}}{_LANGUAGE}"
    r"|\bregular expression\b|\bSQL statement\b)"
    r"|\bhow (?:to|do I|can I|would I) (?:code|program)\b",
    re.IGNORECASE,
)

_TABLE_TASK = re.compile(
    r"\b(?:create|make|provide|draw|generate|write|give|build|produce)(?: me| us)? (?:an? |the )?"
    r"(?:\w+ )?table (?:of|with|that|for|showing|listing)\b|\b(?:in|as)(?: an?)? CSV\b",
    re.IGNORECASE,
)
_READABLE = re.compile(r"[^\W_]{2}|\d|[-=]{3}")

_LATEX = re.compile(
    r"\\(?:frac|sqrt|sum|int|cdot|times|left|begin|alpha|beta|theta|lim|infty|boxed|mathbb)\b"
    r"|\$\$[^$]{1,500}\$\$|\$[^$\n]{0,200}[\\^_=][^$\n]{0,200}\$|\\\(.{1,200}?\\\)|\\\[.{1,500}?\\\]",
    re.DOTALL,
)
# \u00d7, \u00f7: the signs of multiplication and division; \u00b2, \u00b3: raised 2 and 3
_EQUATION = re.compile(
    r"(?<![\w.])(?:\d+(?:\.\d+)?|[a-z]|[)\]])[ ]*[-+*/^\u00d7\u00f7][ ]*"
    r"[\d(a-z](?:[^=\n]{0,40})[ ]?=[ ]?[-+$(]*\d"
    r"|\b[xyz](?:\([xyz]\))?[ ]*=[ ]*[-+(]*\d|\bf\(x\)[ ]*="
    r"|\b\d+[xyz]\b[\u00b2\u00b3^\d]*[ ]*[-+=]|\b[xyz][\u00b2\u00b3^][\d ]*[-+=]"
)
_SUM = re.compile(r"\b\d[\d,.]{0,30}%?\)?[ ]*(?:[+*/\u00d7\u00f7]|[ ]-[ ]|[ ]x[ ])[ ]*\$?\(?\d[\d,.]*")
# dates, spans of years, 24/7, 9/11, 1/2 and the like are prose
_DATE = re.compile(r"\b[12]\d{3} ?- ?[12]\d{3}\b|\b\d{1,4}/\d{1,2}(?:/\d{1,4})?\b|\b\d{4}/\d{2,4}\b")
_MATH_TASK = re.compile(
    r"\bsolve (?:for [a-z]\b|the (?:following )?(?:equation|inequality|system))"
    r"|\b(?:first |second )?derivative of (?:the|f|x|y|sin|cos|\d)|\b(?:find|evaluate|compute) the integral\b"
    r"|\b(?:quadratic|linear|differential) equations?\b|\bsquare root of\b|\bprime (?:factors?|numbers?)\b"
    r"|\b(?:greatest|least|lowest) common (?:divisor|factor|multiple|denominator)\b|\bpythagorean\b"
    r"|\b(?:area|perimeter|circumference|volume|hypotenuse) of (?:an? |the )?(?:\w+ )?"
    r"(?:triangle|circle|square|rectangle|sphere|cube|cylinder|cone|polygon|trapezoid|parallelogram)\b"
    r"|\b(?:mean|median|mode|average|sum|product) of (?:the )?(?:following )?(?:numbers|data|\d)"
    r"|\bsimplify the (?:following )?expression|\bfactori[sz]e the\b"
    r"|\bhow (?:many|much) [^?\n]{0,100}\b(?:left|altogether|in total|in all)\?"
    r"|\bprobability of (?:getting|rolling|drawing|picking)"
    r"|\b(?:math(?:s|ematical)?|arithmetic) (?:word )?(?:problem|question)s?\b"
    r"|\bperfect (?:square|cube)s?\b|\bin how many (?:different )?ways\b"
    r"|\b(?:variance|standard deviation) of\b|\bwhat (?:%|percent(?:age)?) (?:of|is)\b",
    re.IGNORECASE,
)
# the signs of sums, roots, integrals and membership
_SIGN = re.compile("[\u2211\u221a\u222b\u2208]")
_QUESTION_FOR_A_NUMBER = re.compile(r"\bhow (?:many|much|long|far|old)\b[^?\n]{0,150}\?", re.IGNORECASE)
_NUMBER = re.compile(r"(?<![\w.,])\$?\d[\d.,]*")
_BEFORE_A_QUESTION = 300


def content_class(text: str) -> ContentClass | None:
    """The class of a row's whole text, or None for ordinary text; the module's docstring has the rules."""
    if _is_code(text):
        return "code"
    if _is_table(text):
        return "table"
    return "math" if _is_math(text) else None


def _is_code(text: str) -> bool:
    if _FENCE.search(text) or _PROGRAM_TASK.search(text):
        return True
    lines = [line for line in text.split("\n") if len(line) <= _LONGEST_LINE]
    return _enough(_PROGRAM_LINE, lines, 2) or _enough(_PROGRAM_END, lines, 3)


def _enough(form: re.Pattern[str], lines: list[str], number: int) -> bool:
    """Whether so many lines have a form; the others are not looked at."""
    having = (line for line in lines if form.match(line))
    return sum(1 for _ in islice(having, number)) == number


def _is_table(text: str) -> bool:
    if _TABLE_TASK.search(text):
        return True
    lines = text.splitlines()
    for mark, fewest, run in (("|", 2, 2), ("\t", 2, 2), (",", 3, 3)):
        # a comma followed by a blank is prose, not a cell's end
        counts = [
            0 if (mark == "," and ", " in line) or not _READABLE.search(line) else line.count(mark)
            for line in lines
        ]
        for at in range(len(counts) - run + 1):
            if counts[at] >= fewest and len(set(counts[at : at + run])) == 1:
                return True
    return False


def _is_math(text: str) -> bool:
    if any(form.search(text) for form in (_LATEX, _EQUATION, _MATH_TASK, _SIGN)) or _asks_for_a_number(text):
        return True
    return len(_SUM.findall(_DATE.sub(" ", text))) >= 2


def _asks_for_a_number(text: str) -> bool:
    for asked in _QUESTION_FOR_A_NUMBER.finditer(text):
        earliest = max(0, asked.start() - _BEFORE_A_QUESTION)
        line = text.rfind("\n", earliest, asked.start()) + 1
        given = text[line or earliest : asked.end()]
        if len(_NUMBER.findall(given)) >= 2 and _NUMBER.search(given[: asked.start() - asked.end()]):
            return True
    return False
