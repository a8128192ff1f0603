from __future__ import annotations

import pytest

from entp.formats.content import content_class

CODE = [
    "Reverse a string.\n```python\nprint('abc'[::-1])\n```",
    "def add(a, b):\n    return a + b\n\nprint(add(1, 2))",
    '#include <stdio.h>\nint main(void) {\n  puts("hi");\n}',
    "Find all adults.\nSELECT name FROM people WHERE age > 17\nSELECT id FROM people",
    "Make a heading.\n<html>\n<h1>Welcome</h1>\n</html>",
    "Write a Python function that counts the vowels of a word.\nUse a loop and a set.",
    "Create a stylesheet.\n.box {\n  color: red;\n}\n.wide {\n  width: 90%;\n}",
    "Write a regular expression for five digits.",
    "Reverse it.\n  temp = head;\n  free(temp);\n  int data;\n  return head;",
    "const total = a + b;\nlet name = 'x';\nconsole.log(total);",
]
TABLE = [
    "Planets.\n| name | radius |\n| --- | --- |\n| Mars | 3,390 km |",
    "year\tsales\tprofit\n2001\t10\t2\n2002\t12\t3",
    "name,age,city,job\nAnn,31,Oslo,baker\nBob,44,Rome,smith",
]
MATH = [
    "Solve for x: 3x + 4 = 19.\nx is 5.",
    r"What is \frac{1}{2} of 18?",
    "What is the derivative of x^3 + 2x?",
    "Find the area of a circle whose radius is 4.",
    "Ann has 12 apples and buys 7 more. 12 + 7 = 19. She eats 4, and 19 - 4 = 15.",
    "Tom had 9 cards and lost 4. How many cards does he have left?",
    "Factorise the expression: y^2 - 9",
    "List the prime numbers below 20.",
]
TEXT = [
    "Write a short poem about the sea.",
    "What should I pack for three days in Paris? I have 2 bags and 50 euros.",
    "On 9/11 the offices were open 24/7; in 2019/20 they were closed.",
    "Explain what a computer program is to a child.",
    "If you are tired, rest; if you are hungry, eat; and so on.",
    "She said: wait for me in the garden. Then she left | and came back.",
    "Name three fruits, two colours, and a city.\nApple, pear, plum, red, blue, Rome.\nDone, as asked.",
    "Summarise: the class of 1990 met again, and the function was held in the hall.",
    "The match ended 3-1, and the return match 2-2.",
    "Three ways to learn:\n1. Listen to others (and ask);\n2. Read what they wrote;\n3. Try it yourself;",
    "What is grep for? It prints lines that match a regular expression.",
    "To run a site you need a design tool, such as HTML or CSS, for the web page.",
    "Give 5 tips for better sleep:\n1. Go to bed early.\n2. Read a book.\n3. Drink no coffee.",
    "",
]


@pytest.mark.parametrize("text", CODE)
def test_code(text: str) -> None:
    assert content_class(text) == "code"


@pytest.mark.parametrize("text", TABLE)
def test_table(text: str) -> None:
    assert content_class(text) == "table"


@pytest.mark.parametrize("text", MATH)
def test_math(text: str) -> None:
    assert content_class(text) == "math"


@pytest.mark.parametrize("text", TEXT)
def test_ordinary_text(text: str) -> None:
    assert content_class(text) is None


# by the rule that each would mislead into trying every start, or every split, of what follows
HOSTILE = {
    "fence": ("", "\n"),
    "call": ("def f(", ") "),
    "condition": ("if a ", "< "),
    "assignment": ("", "=("),
    "sum": ("", "1,"),
}


@pytest.mark.timeout(30)
@pytest.mark.parametrize(("start", "piece"), HOSTILE.values(), ids=HOSTILE)
def test_rules_go_through_a_long_row_once(start: str, piece: str) -> None:
    """The rules take under a second; where their steps grew with a row's square, it would be minutes."""
    assert content_class(start + piece * 200_000) is None
