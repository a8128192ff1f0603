"""Draw T and p of a run's score stage as SVG.

entp load examples/pool.jsonl --run RUN
entp rate --run RUN --rater gpt-4o-mini
entp embed --run RUN --encoder embedded
entp score --run RUN
python bench/picture.py RUN docs/transition.svg
"""

from __future__ import annotations

import argparse
from html import escape
from pathlib import Path
from typing import Any

from entp.pipeline.stages.order import look_at_run

CELL, LEFT, TOP = 56, 90, 84
# white to dark blue, and the bars of p
LIGHT, DARK, BAR = (247, 251, 255), (8, 69, 148), "#b35806"


def colour(share: float) -> str:
    """The colour of a probability."""
    mixed = (round(low + share * (high - low)) for low, high in zip(LIGHT, DARK, strict=True))
    return "#{:02x}{:02x}{:02x}".format(*mixed)


def text(x: float, y: float, words: str, size: int = 13, anchor: str = "middle", fill: str = "#222") -> str:
    """One line of text."""
    return (
        f'<text x="{x:g}" y="{y:g}" font-size="{size}" text-anchor="{anchor}" fill="{fill}">'
        f"{escape(words)}</text>"
    )


def cells(transition: list[list[float]], prior: list[float]) -> list[str]:
    """The squares of T, row by row, with the bar of p to the right."""
    parts = []
    right = LEFT + CELL * len(prior) + 24
    for i, row in enumerate(transition):
        y = TOP + CELL * i
        parts.append(text(LEFT - 10, y + CELL / 2 + 5, f"true {i}", anchor="end"))
        for j, share in enumerate(row):
            x = LEFT + CELL * j
            parts.append(
                f'<rect x="{x}" y="{y}" width="{CELL}" height="{CELL}" fill="{colour(share)}" stroke="#fff"/>'
            )
            fill = "#fff" if share > 0.5 else "#222"
            parts.append(text(x + CELL / 2, y + CELL / 2 + 5, f"{share:.2f}", fill=fill))
        length = 120 * prior[i]
        parts.append(f'<rect x="{right}" y="{y + 16}" width="{length:.1f}" height="24" fill="{BAR}"/>')
        parts.append(text(right + length + 6, y + 33, f"{prior[i]:.2f}", anchor="start"))
    return parts


def picture(report: dict[str, Any], title: str) -> str:
    """The whole drawing."""
    number = len(report["prior"])
    width, height = LEFT + CELL * number + 200, TOP + CELL * number + 46
    verdict = (
        "not believed: the scores stay as rated" if report["abstains"] else f"{report['moved']} scores moved"
    )
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
        f'viewBox="0 0 {width} {height}" font-family="sans-serif">',
        f'<rect width="{width}" height="{height}" fill="#fff"/>',
        text(16, 28, title, 15, "start"),
        text(16, 50, f"method {report['method']}; {verdict}", 12, "start", "#555"),
        *(text(LEFT + CELL * (j + 0.5), TOP - 10, f"rated {j}") for j in range(number)),
        text(LEFT + CELL * number + 24, TOP - 10, "p", anchor="start"),
        *cells(report["transition"], report["prior"]),
        text(
            16,
            height - 16,
            "T[i, j] = P(rated j | true i); rows sum to 1; p = P(true i)",
            12,
            "start",
            "#555",
        ),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def main() -> None:
    """Read the run and write the picture."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run", type=Path)
    parser.add_argument("out", type=Path)
    options = parser.parse_args()
    with look_at_run(options.run) as run:
        score, rate = run.store.marks.get("score"), run.store.marks.get("rate")
        rows = run.store.scores.count()
    if score is None or rate is None:
        parser.error(f"{options.run} has not been scored: run entp score first")
    title = f"T of {rate.findings['rater']} over {rows:,} rows"
    options.out.write_text(picture(score.findings, title), "utf-8")


if __name__ == "__main__":
    main()
