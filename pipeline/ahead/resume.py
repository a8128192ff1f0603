"""Resume: before a stage goes on with what is there, say what it will do, or refuse to."""

from __future__ import annotations

from importlib.metadata import version
from typing import Literal, TypeAlias

from ...prompts.render import template_hashes
from ...records.errors import UsageError
from ...records.stored import JsonObject
from ..run.run_folder import Run
from .estimate import in_words
from .outlook import TEMPLATES, Outlook, outlook

Resume: TypeAlias = Literal["never", "always", "if-possible"]


def code_now() -> JsonObject:
    """The version of ENTP and the hashes of its templates."""
    return {
        "version": version("entp"),
        TEMPLATES: {"full": dict(template_hashes("full")), "compact": dict(template_hashes("compact"))},
    }


# the tables that hold records where a command's work was begun
_BEGUN = {"run": ("rows", "fusions"), "rate": ("ratings",), "fuse": ("fusions",)}


def refuse_begun(run: Run, command: str) -> None:
    """Raise UsageError where some of a command's work has been done before."""
    store = run.store
    counts = {"rows": store.rows.count(), "ratings": store.ratings.count(), "fusions": store.fusions.count()}
    found = {name: counts[name] for name in _BEGUN.get(command, ())}
    if any(found.values()):
        held = ", ".join(f"{number:,} {name}" for name, number in found.items() if number)
        message = f"{run.folder} has work in it already: {held}"
        raise UsageError(message, "choose another folder with --run, or go on with --resume if-possible")


def set_out(run: Run, name: str, resume: Resume) -> None:
    """Say what stage `rate` or `fuse` goes on with, before it asks anything; nothing about fresh work.

    Unless `resume` is `always`, it is a UsageError where templates that have changed since would make it ask
    again for what is done.
    """
    ahead = outlook(run, name)
    if ahead is None:
        return
    if resume != "always" and ahead.again and TEMPLATES in ahead.differs:
        what = f"{_counted(ahead.again, ahead.unit)} done would be asked for again"
        message = f"{run.folder}: {what}: {_why(run, ahead)}"
        raise UsageError(message, "go on with the version that made them, or pay again with --resume always")
    if ahead.asked and ahead.done + ahead.failed + ahead.again:
        for line in sentences(run, ahead):
            run.progress.say(line)
    run.store.set_code(code_now())


def sentences(run: Run, ahead: Outlook) -> list[str]:
    """An outlook in a line or two."""
    cost = in_words(ahead.estimate)
    if ahead.failed == ahead.asked:
        are = "is" if ahead.failed == 1 else "are"
        what = f"{_counted(ahead.failed, ahead.unit)} that failed {are} tried again"
        return [f"resuming {run.folder}: {what}; {cost}"]
    parts = [f"{_counted(ahead.done, ahead.unit)} done"]
    parts += [f"{ahead.failed:,} failed"] * bool(ahead.failed)
    parts += [f"{ahead.left:,} left"] * bool(ahead.left)
    lines = [f"resuming {run.folder}: {', '.join(parts)}; {cost}"]
    if ahead.again:
        again = f"asking again for {_counted(ahead.again, ahead.unit)} done before"
        lines.append(f"{again}, where the ledger has no answer: {_why(run, ahead)}")
    return lines


def _counted(number: int, unit: str) -> str:
    return f"{number:,} {unit.removesuffix('s') if number == 1 else unit}"


def _why(run: Run, ahead: Outlook) -> str:
    """What has changed, by name."""
    settings = [name for name in ahead.differs if name != TEMPLATES]
    words = [f"{', '.join(settings)} changed"] * bool(settings)
    if TEMPLATES in ahead.differs:
        made_by = run.store.code().get("version", "of another version")
        words.append(f"templates changed since (made by entp {made_by}, this is {version('entp')})")
    return "; ".join(words)
