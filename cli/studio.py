"""entp studio: look at the graphs and at the fusions of a run in LangGraph Studio."""

from __future__ import annotations

from pathlib import Path

import click

from .options import KEY_VARIABLE, key_option, read_key, setting_options


@click.command("studio", epilog="\b\nExample:\n  entp studio --run runs/first --model gpt-4o-mini")
@click.option(
    "--run", "folder", type=click.Path(path_type=Path), help="Show the fusions of a run as threads."
)
@click.option(
    "--port", type=click.IntRange(1, 65535), default=2024, show_default=True, help="Port on loopback."
)
@click.option("--browser/--no-browser", default=True, help="Open Studio in the browser.")
@key_option
@setting_options("model", "base_url")
def studio_command(
    folder: Path | None,
    port: int,
    browser: bool,
    key_file: Path | None,
    model: str | None = None,
    base_url: str | None = None,
) -> int:
    """Start LangGraph's server on loopback for LangGraph Studio; Ctrl-C ends it.

    Studio shows the graph with all template nodes, takes a pair in a form, and steps through a fusion. Its
    page comes from its maker's site; the server and the data stay here.
    """
    from ..pipeline.run_folder import look_at_run
    from ..pipeline.studio_server import studio_server

    if folder is not None:
        with look_at_run(folder) as run:
            model, base_url = model or run.settings.model, base_url or run.settings.base_url
    given = {"ENTP_MODEL": model, "ENTP_BASE_URL": base_url, KEY_VARIABLE: read_key(key_file)}
    environment = {name: value for name, value in given.items() if value}
    with studio_server(folder, port, environment, browser=browser) as server:
        try:
            return server.wait()
        except KeyboardInterrupt:  # how it is meant to end
            return 0


COMMANDS = {"studio": studio_command}
