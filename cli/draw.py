"""entp graph: the graphs as drawings, and the path that one fusion took."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..records.errors import UsageError

if TYPE_CHECKING:  # at run time it would bring LangGraph along
    from ..pipeline.views.drawing import Which

EXAMPLES = """\b
Examples:
  entp graph
  entp graph --svg fusion.svg
  entp graph --fusion 9f31c0a2b4d5e6f7 --run runs/first --png path.png
"""


@click.command("graph", epilog=EXAMPLES)
@click.option("--variant", "which", flag_value="variant", help="Only the graph of one variant.")
@click.option("--fusion", "fusion_id", metavar="ID", help="The path that one fusion took; needs --run.")
@click.option("--run", "folder", type=click.Path(path_type=Path), help="Folder that holds the run.")
@click.option("--svg", "svg_file", type=click.Path(path_type=Path), help="Write a picture as SVG.")
@click.option("--png", "png_file", type=click.Path(path_type=Path), help="Write a picture as PNG.")
def graph_command(
    which: Which | None,
    fusion_id: str | None,
    folder: Path | None,
    svg_file: Path | None,
    png_file: Path | None,
) -> int:
    """Draw the fusion graph, a node a template; in Mermaid or as a picture."""
    drawing = _drawing(which or "fusion", fusion_id, folder)
    if svg_file is None and png_file is None:
        click.echo(drawing, nl=False)
        return 0
    from ..pipeline.views.drawing import png, svg

    if svg_file:
        _write(svg_file, svg(drawing).encode())
    if png_file:
        _write(png_file, png(drawing))
    return 0


def _drawing(which: Which, fusion_id: str | None, folder: Path | None) -> str:
    from ..pipeline.views.drawing import fusion_drawing, graph_drawing

    if fusion_id is None:
        return graph_drawing(which)
    if folder is None:
        message = f"--fusion {fusion_id} is not in a known run"
        raise UsageError(message, "name its folder with --run DIR")
    from ..pipeline.stages.order import look_at_run

    with look_at_run(folder) as run:
        return fusion_drawing(run, fusion_id)


def _write(path: Path, content: bytes) -> None:
    try:
        path.write_bytes(content)
    except OSError as error:
        message = f"{path} cannot be written: {error.strerror}"
        raise UsageError(message, "name a file in a folder that you can write to") from error


COMMANDS = {"graph": graph_command}
