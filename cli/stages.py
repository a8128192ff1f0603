"""entp run, and one command a stage: bring it up to date, print what it found."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from ..pipeline.ahead.resume import Resume
from ..pipeline.run.run_folder import Run, open_run
from ..pipeline.run.stage import StageEnd
from ..pipeline.stages.order import stage_named
from ..pipeline.views.status import status
from .options import (
    changes_of,
    include_option,
    json_option,
    key_option,
    pool_argument,
    read_key,
    resume_option,
    run_option,
    setting_options,
    settings_option,
)
from .output import TerminalProgress, emit, emit_json
from .reports import print_books, print_plan, print_report
from .stopping import finish

WITH_FAILURES = 3

MODEL_OPTIONS = (
    "model",
    "base_url",
    "gguf",
    "profile",
    "reply_mode",
    "max_tokens",
    "timeout_s",
    "concurrency",
    "ledger",
    "prompt_price",
    "completion_price",
)
# the settings of each stage as options, besides those of the model
STAGE_OPTIONS: dict[str, tuple[str, ...]] = {
    "load": ("strict", "max_row_bytes"),
    "rate": ("rater", "rating_scale", "audit", "seed"),
    "embed": ("encoder",),
    "score": ("correction", "neighbours", "lq_below", "seed"),
    "select": ("exclude", "clusterer", "similarity", "kinds", "fold", "seed"),
    "fuse": ("pairs", "budget", "temperature", "domain_temperature", "seed", "keep_checkpoints"),
    "blend": ("blend_percent", "blend_kinds", "max_loss", "seed"),
    "export": ("form", "out"),
}
# the tables that hold records where a command's work was begun
BEGUN = {"run": ("rows", "fusions"), "rate": ("ratings",), "fuse": ("fusions",)}
EXAMPLES = {
    "load": "entp load pool.jsonl more.parquet --run runs/first",
    "rate": "entp rate --run runs/first --model gpt-4o-mini",
    "embed": "entp embed --run runs/first --encoder BAAI/bge-large-en-v1.5",
    "score": "entp score --run runs/first --json",
    "select": "entp select --run runs/first --similarity 0.85",
    "fuse": "entp fuse --run runs/first --pairs 20 --dry-run",
    "blend": "entp blend --run runs/first --blend-percent 50 --max-loss 1",
    "export": "entp export --run runs/first --form sharegpt --out train.parquet",
}
RUN_EXAMPLES = """\\b
Examples:
  entp run pool.jsonl --run runs/first
  entp run pool.jsonl --run runs/first --model gpt-4o-mini --dry-run
  entp run pool.jsonl --run runs/first --base-url http://localhost:8000/v1 --model my-model
"""


ASKING = ("rate", "fuse")


def _stage_command(name: str) -> click.Command:
    stage = stage_named(name)

    def command(
        folder: Path,
        as_json: bool,
        settings_path: Path | None = None,
        pool: tuple[Path, ...] = (),
        **given: Any,
    ) -> int:
        key = read_key(given.pop("key_file", None))
        retry_failed = given.pop("retry_failed", False)
        dry_run = given.pop("dry_run", False)
        resume = given.pop("resume", "if-possible")
        if pool:
            given["pool"] = tuple(str(path) for path in pool)
        changes = changes_of(settings_path, given)
        progress = TerminalProgress()
        with open_run(
            folder,
            changes,
            progress=progress,
            key=key,
            create=name == "load",
            retry_failed=retry_failed,
            empty=BEGUN[name] if resume == "never" else (),
        ) as run:
            if dry_run:
                return _tell_plan(run, as_json)
            return _bring_up_to_date(run, name, as_json=as_json, retry_failed=retry_failed, resume=resume)

    epilog = f"\b\nExample:\n  {EXAMPLES[name]}"
    described = click.command(name, help=f"{stage.does[0].upper()}{stage.does[1:]}.", epilog=epilog)
    return described(_with_options(command, name))


def _with_options(command: Any, name: str) -> Any:
    """The options of a stage's command, besides those that only `entp run` has."""
    for option in (run_option, json_option, settings_option):
        command = option(command)
    asks = name in ASKING
    command = setting_options(*STAGE_OPTIONS[name], *(MODEL_OPTIONS if asks else ()))(command)
    if asks:
        command = click.option("--retry-failed", is_flag=True, help="Take up what has failed.")(command)
        command = resume_option(key_option(command))
    if name == "select":
        command = include_option(command)
    if name == "fuse":
        command = _dry_run(command)
    if name == "load":
        command = pool_argument(command)
    return command


def _dry_run(command: Any) -> Any:
    return click.option("--dry-run", is_flag=True, help="Tell the pairs and calls; ask no model.")(command)


def _bring_up_to_date(run: Run, name: str, *, as_json: bool, retry_failed: bool, resume: Resume) -> int:
    from ..pipeline.ahead.job import bring_up_to_date

    end = finish(run, bring_up_to_date(run, stage_named(name), retry_failed=retry_failed, resume=resume))
    if as_json:
        emit_json({"stage": name, "ran": end.ran, "books": end.mark.books.model_dump(), **end.mark.report})
    else:
        print_report(end)
    return _code(end.mark.books.failed, end.mark.books.rejected if name == "load" else {})


def _tell_plan(run: Run, as_json: bool) -> int:
    from ..pipeline.ahead.job import fusion_plan

    planned = fusion_plan(run)
    (emit_json if as_json else print_plan)(planned)
    return 0


@click.command("run", epilog=RUN_EXAMPLES.replace("\\b", "\b"))
@pool_argument
@run_option
@json_option
@settings_option
@key_option
@click.option("--retry-failed", is_flag=True, help="Take up what has failed.")
@resume_option
@_dry_run
@include_option
@setting_options(*MODEL_OPTIONS, *dict.fromkeys(name for names in STAGE_OPTIONS.values() for name in names))
def run_command(
    pool: tuple[Path, ...],
    folder: Path,
    as_json: bool,
    settings_path: Path | None,
    key_file: Path | None,
    retry_failed: bool,
    resume: Resume,
    dry_run: bool,
    **given: Any,
) -> int:
    """Do the whole job: load, rate, embed, score, select, fuse, blend, export.

    The same command again goes on where it was; unchanged work is neither done nor paid again. Without
    --model, --base-url and a key the embedded model is asked: it shows the machinery, not the quality.
    """
    if pool:
        given["pool"] = tuple(str(path) for path in pool)
    changes = changes_of(settings_path, given)
    progress = TerminalProgress()
    with open_run(
        folder,
        changes,
        progress=progress,
        key=read_key(key_file),
        create=True,
        retry_failed=retry_failed,
        empty=BEGUN["run"] if resume == "never" else (),
    ) as run:
        return do_all(run, as_json=as_json, retry_failed=retry_failed, resume=resume, dry_run=dry_run)


def do_all(
    run: Run,
    *,
    as_json: bool,
    retry_failed: bool = False,
    resume: Resume = "if-possible",
    dry_run: bool = False,
) -> int:
    """Run every stage, or the plan, and print; returns the exit code."""
    from ..pipeline.ahead.job import plan, run_all
    from ..pipeline.run.wiring import resolved_model

    resolved_model(run.settings, run.key)  # wrong use is told before any work is done

    def tell(end: StageEnd) -> None:
        if not as_json:
            print_report(end)
            emit()

    if dry_run:
        planned = finish(run, plan(run, tell))
        (emit_json if as_json else print_plan)(planned)
        return 0
    ends = finish(run, run_all(run, tell, retry_failed=retry_failed, resume=resume))
    now = status(run)
    if as_json:
        reports = {end.stage.name: {"ran": end.ran, **end.mark.report} for end in ends}
        emit_json({**now, "reports": reports})
    else:
        print_books(now)
    if not now["balanced"]:
        click.echo("entp: the books do not balance; this is a bug, please report it", err=True)
        return 1
    failed = [end.mark.books.failed for end in ends]
    return _code({"failed": sum(sum(by.values()) for by in failed)}, now["books"]["load"]["rejected"])


def _code(failed: dict[str, int], rejected: dict[str, int]) -> int:
    return WITH_FAILURES if sum(failed.values()) + sum(rejected.values()) else 0


COMMANDS = {"run": run_command, **{name: _stage_command(name) for name in STAGE_OPTIONS}}
