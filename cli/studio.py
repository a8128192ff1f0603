"""entp studio: look at the graphs and at the fusions of a run in LangGraph Studio."""

from __future__ import annotations

import asyncio
from pathlib import Path

import click

from ..pipeline.run.run_folder import Run
from ..pipeline.run.settings import ModelSettings, Places
from ..pipeline.stages.order import look_at_run
from ..records.errors import UsageError
from .options import KEY_VARIABLE, key_option, read_key, setting_options


@click.command("studio", epilog="\b\nExample:\n  entp studio --run runs/first --model gpt-4o-mini")
@click.option(
    "--run", "folder", type=click.Path(path_type=Path), help="Show the fusions of a run as threads."
)
@click.option(
    "--fusion",
    "fusions",
    multiple=True,
    help="With --run: show this fusion with every step, as a replay rebuilds them.",
)
@click.option(
    "--port", type=click.IntRange(1, 65535), default=2024, show_default=True, help="Port on loopback."
)
@click.option("--browser/--no-browser", default=True, help="Open Studio in the browser.")
@key_option
@setting_options((ModelSettings, Places), only=("model", "base_url"))
def studio_command(
    folder: Path | None,
    fusions: tuple[str, ...],
    port: int,
    browser: bool,
    key_file: Path | None,
    model: str | None = None,
    base_url: str | None = None,
) -> int:
    """Serve the graphs and the run's fusions to LangGraph Studio.

    Studio shows the graph with all template nodes, takes a pair in a form, and steps through a fusion. Its
    page comes from its maker's site; the server and the data stay here. Ctrl-C ends it.
    """
    from ..pipeline.views.studio_server import studio_server

    if fusions and folder is None:
        message = "--fusion names a fusion of a run"
        raise UsageError(message, "name the run's folder with --run DIR")
    if folder is not None:
        with look_at_run(folder) as run:
            for fusion in fusions:
                asyncio.run(_replay(run, fusion))
            model = model or run.settings.of(ModelSettings).model
            base_url = base_url or run.settings.of(Places).base_url
    given = {"ENTP_MODEL": model, "ENTP_BASE_URL": base_url, KEY_VARIABLE: read_key(key_file)}
    environment = {name: value for name, value in given.items() if value}
    with studio_server(folder, port, environment, browser=browser) as server:
        try:
            return server.wait()
        except KeyboardInterrupt:  # how it is meant to end
            return 0


async def _replay(run: Run, fusion: str) -> None:
    from ..pipeline.replay.replay import replay

    await replay(run, fusion, keep_history=True)


COMMANDS = {"studio": studio_command}
