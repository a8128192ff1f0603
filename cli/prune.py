"""entp prune: make a run folder smaller."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import click

from ..pipeline.stages.order import open_run
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
@click.option("--dry-run", is_flag=True, help="Say what would go; change nothing.")
@json_option
def prune_command(folder: Path, keep: Literal["last", "none"] | None, dry_run: bool, as_json: bool) -> int:
    """Remove what a run can do without: checkpoints, and embeddings that no row uses.

    Results and the ledger's calls stay. Threads of forks and those begun in Studio stay too, except with
    --keep-checkpoints none.
    """
    from ..pipeline.views.prune import prune

    with open_run(folder) as run:
        found = prune(run, keep, dry_run=dry_run)
    if as_json:
        emit_json(found)
        return 0
    would = "would remove" if dry_run else "removed"
    emit(
        f"{would} {found.checkpoints} checkpoints, {found.threads} whole threads "
        f"and {len(found.embeddings)} files of embeddings"
    )
    sizes = [
        (name, size.before, "" if size.after is None else size.after) for name, size in found.files.items()
    ]
    table(("file", "bytes before", "bytes after"), sizes)
    return 0


COMMANDS = {"prune": prune_command}
