"""entp run, and one command a stage: bring it up to date, print what it found."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from .. import api
from ..pipeline.run.settings import Asking, Part, Places, Scope
from ..pipeline.run.stage import AnyStage, StageEnd
from ..pipeline.stages import order
from ..records.books import Books
from .options import (
    SectionedCommand,
    changes_of,
    dry_run_option,
    json_option,
    key_option,
    pool_argument,
    read_key,
    retry_options,
    run_option,
    scope_options,
    setting_options,
    settings_options,
)
from .output import TerminalProgress, emit, emit_json
from .reports import print_books, print_end, print_plan
from .stopping import finish

WITH_FAILURES = 3
# where a stage that asks a model finds its server and its ledger
SERVER = ("base_url", "ledger")
RUN_EXAMPLES = """\b
Examples:
  entp run pool.jsonl --run runs/first
  entp run pool.jsonl --run runs/first --model gpt-4o-mini --dry-run
  entp run pool.jsonl --run runs/first --base-url http://localhost:8000/v1 --model my-model
"""


def stage_command(stage: AnyStage) -> click.Command:
    """The command of a stage: its options and help are those that it declares."""

    def command(
        folder: Path,
        as_json: bool,
        settings_path: Path | None,
        unset: tuple[str, ...],
        pool: tuple[Path, ...] = (),
        key_file: Path | None = None,
        retry_failed: bool = False,
        resume: Any = "if-possible",
        dry_run: bool = False,
        **given: Any,
    ) -> int:
        scope = Scope(**{name: given.pop(name) for name in stage.scope}, retry_failed=retry_failed)
        host = _host(key_file if stage.asks else None)
        changes = changes_of(settings_path, unset, given)
        if dry_run:
            planned = api.plan_fusions(folder, changes, scope=scope, host=host)
            emit_json(planned) if as_json else print_plan(planned)
            return 0
        end = api.bring_up_to_date(
            stage.name, folder, changes, pool=pool, scope=scope, resume=resume, host=host
        )
        if as_json:
            emit_json(_end_as_json(end))
        else:
            print_end(end)
        return _code(end.mark.books, rejects=stage.rejects)

    epilog = f"\b\nExample:\n  {stage.example}"
    described = click.command(
        stage.name, cls=SectionedCommand, help=f"{stage.does[0].upper()}{stage.does[1:]}.", epilog=epilog
    )
    return described(_with_options(command, stage))


def _with_options(command: Any, stage: AnyStage) -> Any:
    """The options of a stage's command."""
    command = setting_options((Places,), only=(*stage.heeds, *(SERVER if stage.asks else ()), "-"))(command)
    if stage.asks:
        command = setting_options((Asking,))(command)
    command = setting_options((stage.settings,))(command)
    command = scope_options(*stage.scope)(command)
    if stage.asks:
        command = key_option(retry_options(command))
    if "pairs" in stage.scope:
        command = dry_run_option(command)
    if not stage.reads:
        command = pool_argument(command)
    return run_option(json_option(settings_options(command)))


def _host(key_file: Path | None) -> api.Host:
    return api.Host(progress=TerminalProgress(), key=read_key(key_file), runner=finish)


def _every_setting(command: Any) -> Any:
    parts: list[type[Part]] = [*(stage.settings for stage in order.STAGES), Asking, Places]
    names = tuple(dict.fromkeys(name for stage in order.STAGES for name in stage.scope))
    return setting_options(parts)(scope_options(*names)(command))


@click.command("run", cls=SectionedCommand, epilog=RUN_EXAMPLES)
@pool_argument
@run_option
@json_option
@key_option
@dry_run_option
@settings_options
@retry_options
@_every_setting
def run_command(
    pool: tuple[Path, ...],
    folder: Path,
    as_json: bool,
    settings_path: Path | None,
    unset: tuple[str, ...],
    key_file: Path | None,
    retry_failed: bool,
    resume: Any,
    dry_run: bool,
    **given: Any,
) -> int:
    """Do the whole job: every stage in order.

    The same command again goes on where it was; unchanged work is neither done nor paid again. Without
    --model, --base-url and a key the embedded model is asked: it shows the machinery, not the quality.
    """
    scope = Scope(pairs=given.pop("pairs"), retry_failed=retry_failed)
    host, changes = _host(key_file), changes_of(settings_path, unset, given)
    if dry_run:
        planned = api.plan(pool, folder, changes, scope=scope, on_end=_printed(as_json), host=host)
        emit_json(planned) if as_json else print_plan(planned)
        return 0
    return run_all(pool, folder, changes, scope=scope, resume=resume, host=host, as_json=as_json)


def run_all(
    pool: tuple[Path, ...],
    folder: Path,
    changes: dict[str, Any],
    *,
    scope: Scope,
    host: api.Host,
    resume: Any = "if-possible",
    as_json: bool = False,
) -> int:
    """Run every stage, print each as it ends, and at last the books."""
    ends: list[StageEnd] = []

    def on_end(end: StageEnd) -> None:
        ends.append(end)
        _printed(as_json)(end)

    now = api.run(pool, folder, changes, scope=scope, resume=resume, on_end=on_end, host=host)
    if as_json:
        findings = {end.stage.name: {"ran": end.ran, **end.mark.findings} for end in ends}
        emit_json({**now.model_dump(mode="json"), "findings": findings})
    else:
        print_books(now)
    if not now.balanced:
        click.echo("entp: the books do not balance; this is a bug, please report it", err=True)
        return 1
    return max(_code(now.books[stage.name], rejects=stage.rejects) for stage in order.STAGES)


def _printed(as_json: bool) -> Any:
    def on_end(end: StageEnd) -> None:
        if not as_json:
            print_end(end)
            emit()

    return on_end


def _end_as_json(end: StageEnd) -> dict[str, Any]:
    return {
        "stage": end.stage.name,
        "ran": end.ran,
        "books": end.mark.books.model_dump(),
        **end.mark.findings,
    }


def _code(books: Books, *, rejects: bool) -> int:
    return WITH_FAILURES if books.failed or (rejects and books.rejected) else 0


COMMANDS = {"run": run_command, **{stage.name: stage_command(stage) for stage in order.STAGES}}
