"""Drawings of the graphs and of the path that a fusion took: Mermaid, and pictures made without a network."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from typing import Any, Literal, TypeAlias, cast

from ...graph.state import Attempt, FusionSettings
from ...graph.variant_steps import best_of
from ...nodes.templates import CYCLES, check_of
from ...records.errors import UsageError
from ...records.fusions import FusedRow
from ..run.run_folder import Run
from ..stages.fuse import fusion_settings

Which: TypeAlias = Literal["fusion", "variant"]

# text as text, since not everything that shows SVG shows the HTML that Mermaid would put into it
HEADER = """---
config:
  htmlLabels: false
  fontFamily: Roboto, Arial, sans-serif
  themeVariables:
    edgeLabelBackground: white
  flowchart:
    htmlLabels: false
    wrappingWidth: 260
---
"""
PNG_WIDTH = 2400


def graph_drawing(which: Which) -> str:
    """One of the graphs in Mermaid, its subgraphs opened up: a node a template, a label a route."""
    from . import studio

    drawn = studio.variant.get_graph() if which == "variant" else studio.fusion.get_graph(xray=True)
    text = drawn.draw_mermaid()
    # escapes and tags that only Mermaid's own renderer in a browser takes
    for found, instead in ((r"\3a", "."), ("&nbsp;", ""), ("<p>", ""), ("</p>", "")):
        text = text.replace(found, instead)
    return text[text.index("graph TD") :]


def fusion_drawing(run: Run, fusion_id: str) -> str:
    """The path that one fusion of a run took in Mermaid; its losses stand on the edges."""
    fusion, pair = run.store.fusions.get(fusion_id), run.store.pairs.get(fusion_id)
    if fusion is None or pair is None:
        message = f"{run.folder} has no fusion {fusion_id!r}"
        raise UsageError(message, f"see entp list fusions --run {run.folder}")
    lines = [
        "graph TD",
        _node("left", f"left: {pair.left.id}"),
        _node("right", f"right: {pair.right.id}"),
        _node("domain_analysis", "domain_analysis"),
        "left --> domain_analysis",
        "right --> domain_analysis",
    ]
    if fusion.status == "failed":
        failed = _node("failed", fusion.reason or "failed")
        return "\n".join([*lines, failed, "domain_analysis --> failed"]) + "\n"
    lines += [
        _node("strategy_selection", "strategy_selection"),
        _node("merged_corpus_generation", "merged_corpus_generation"),
        f"domain_analysis -- {fusion.domains.get('relationship', '')} --> strategy_selection",
        "strategy_selection --> merged_corpus_generation",
    ]
    settings = fusion_settings(run)
    for row in run.store.fused_rows.of(fusion_id):
        lines += _variant_path(row, settings, carried=row.id == fusion.carried)
    return "\n".join(lines) + "\n"


def svg(drawing: str) -> str:
    """A drawing as SVG; raises UsageError where the extra `draw` is not installed."""
    picture: str = _needed("merman").Merman().render_svg(HEADER + drawing, None)
    return picture


def png(drawing: str) -> bytes:
    """A drawing as PNG; the font comes with the extra, so that it looks the same everywhere."""
    font = _needed("font_roboto").Roboto
    made = _needed("resvg_py").svg_to_bytes(
        svg_string=svg(drawing),
        background="white",
        width=PNG_WIDTH,
        font_files=[font],
        skip_system_fonts=True,
        sans_serif_family="Roboto",
    )
    return bytes(made)


def _needed(module: str) -> Any:
    try:
        return importlib.import_module(module)
    except ImportError as error:
        message = f"pictures need the package {module}"
        raise UsageError(message, "install it with pip install 'entp[draw]', or print Mermaid") from error


def _variant_path(row: FusedRow, settings: FusionSettings, *, carried: bool) -> Iterator[str]:
    """The steps of one variant, from its strategy to the row that it became."""
    name, attempts = f"v{row.variant}", cast(list[Attempt], row.attempts)
    yield f'subgraph {name} ["{_text(row.strategy)}"]'
    last, edge = "", ""
    for cycle in CYCLES:
        made = [attempt for attempt in attempts if attempt["cycle"] == cycle]
        for attempt in made:
            check = f"{name}_{cycle}_{attempt['attempt']}"
            if attempt["attempt"] > 1:
                template = f"{check}_template"
                yield _node(template, attempt["template"])
                yield f"{last} -. {edge} .-> {template}"
                yield f"{template} --> {check}"
            elif last:
                yield f"{last} -. {edge} .-> {check}"
            yield _node(check, check_of(cycle).name)
            last, edge = check, _loss(attempt)
        if made and made[-1]["loss"]["unmet"] and row.status == "fused":
            kept = f"{name}_{cycle}_kept"
            best = best_of(made, settings, row.fusion_id, row.variant, cycle)
            yield _node(kept, f"exhausted: attempt {best['attempt']} kept")
            yield f"{last} -. {edge} .-> {kept}"
            last, edge = kept, "least loss"
    ended = f"{row.id}, loss {row.loss}" if row.status == "fused" else row.reason
    yield _node(f"{name}_end", f"{ended}{' (carried on)' if carried else ''}")
    yield f"{last} -. {edge} .-> {name}_end" if last else ""
    yield "end"
    begun = f"{name}_{attempts[0]['cycle']}_1" if attempts else f"{name}_end"
    yield f"merged_corpus_generation --> {begun}"


def _loss(attempt: Attempt) -> str:
    unmet = [condition.replace("_", " ") for condition in attempt["loss"]["unmet"]]
    return f'"loss {len(unmet)}: {" + ".join(unmet)}"' if unmet else '"loss 0: accept"'


def _node(name: str, text: str) -> str:
    return f'{name}("{_text(text)}")'


def _text(text: str) -> str:
    """A text as Mermaid takes it between quotation marks."""
    shown = " ".join(text.split()).replace("#", "#35;").replace('"', "#quot;")
    return shown if len(shown) <= 120 else f"{shown[:119]}…"
