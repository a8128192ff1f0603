"""entp prune: make a run folder smaller."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import click

from ..pipeline.run.run_folder import open_run
from .options import json_option, run_option
from .output import emit, emit_json, table


@click.command(
    "prune", epilog="\b\nExample:\n  entp prune --run runs/first --keep-checkpoints last --dry-run"
)
@run_option
@click.option(
    "--keep-checkpoints",
    "keep",
    type=click.Choice(["last", "none"]),
    help="What to keep of each fusion for Studio; else as the run is set.",
)
@click.option("--dry-run", is_flag=True, help="Tell what would go; change nothing.")
@json_option
def prune_command(folder: Path, keep: Literal["last", "none"] | None, dry_run: bool, as_json: bool) -> int:
    """Remove what a run can do without: checkpoints, and embeddings that no row uses.

    Results and the ledger's calls stay. Threads of forks and those begun in Studio stay too, but with
    --keep-checkpoints none.
    """
    from ..pipeline.views.prune import prune

    with open_run(folder) as run:
        told = prune(run, keep, dry_run=dry_run)
    if as_json:
        emit_json(told)
        return 0
    removed = told["removed"]
    would = "would remove" if dry_run else "removed"
    emit(
        f"{would} {removed['checkpoints']} checkpoints, {removed['threads']} whole threads "
        f"and {len(removed['embeddings'])} files of embeddings"
    )
    sizes = [[name, size["before"], "" if dry_run else size["after"]] for name, size in told["files"].items()]
    table(["file", "bytes before", "bytes after"], sizes)
    return 0


COMMANDS = {"prune": prune_command}
