"""Outlook: what a stage that asks the model has done, what is left to ask, and what that may take."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict
from typing import Literal

from ...nodes.templates import templates_of
from ...prompts.render import SYSTEM, current_hashes, template_hashes
from ...records.errors import UsageError
from ...records.listings import MadeAlike
from ...records.stored import JsonObject, Stored
from ...records.vocabulary import Profile
from ..run.run_folder import Run
from ..run.settings import EMBEDDED, ModelSettings
from ..run.stage import USABLE, goes_on, stages_read, state_of
from ..run.wiring import resolved_model
from ..stages.fuse import FuseSettings, chosen_pairs, fusion_settings
from ..stages.order import stage_named
from ..stages.rate import rows_to_rate
from .estimate import Estimate, estimate_of_fusions, estimate_of_ratings

TEMPLATES = "templates"


class Outlook(Stored):
    """Where a stage that asks the model stands.

    `done` stays as it is; `failed` and `left` are asked for, and so is `again`: what was done in another way.
    `differs` names what makes the difference: settings, or `templates`.
    """

    unit: Literal["ratings", "fusions"]
    done: int
    failed: int
    left: int
    again: int
    differs: tuple[str, ...]
    estimate: Estimate

    @property
    def asked(self) -> int:
        """How many are asked for."""
        return self.failed + self.left + self.again


def outlook(run: Run, name: str) -> Outlook | None:
    """The outlook of stage `rate` or `fuse`; None where it is up to date or cannot run yet."""
    stage = stage_named(name)
    if any(state_of(run, before) not in USABLE for before in stages_read(run, stage)):
        return None
    state, mark = state_of(run, stage), run.store.marks.get(name)
    if state in USABLE and mark:
        if not goes_on(run, stage, mark):
            return None
    elif name == "rate" and not rows_to_rate(run):
        return None
    return _ratings(run) if name == "rate" else _fusions(run)


def outlooks(run: Run) -> dict[str, Outlook | None]:
    """The outlooks of both stages; None also where a setting is missing without which none can be had."""
    found: dict[str, Outlook | None] = {}
    for name in ("rate", "fuse"):
        try:
            found[name] = outlook(run, name)
        except UsageError:
            found[name] = None
    return found


def _ratings(run: Run) -> Outlook:
    changed = _changed(run)
    if set(_changed_templates(run)) & {SYSTEM, *(template.name for template in templates_of("row"))}:
        changed.append(TEMPLATES)
    model = resolved_model(run.settings, run.key)
    counts: Counter[str] = Counter()
    for table in (run.store.ratings, run.store.audits):
        for (rater, usable), number in table.by_rater().items():
            other = changed or (model != EMBEDDED and rater != model)
            counts["failed" if not usable else "again" if other else "done"] += number
    if counts["again"] and not changed:
        changed.append("model")
    left = max(0, (rows_to_rate(run) or counts.total()) - counts.total())
    return Outlook(
        unit="ratings",
        done=counts["done"],
        failed=counts["failed"],
        left=left,
        again=counts["again"],
        differs=tuple(changed),
        estimate=estimate_of_ratings(
            run,
            left + counts["failed"] + counts["again"],
            left + counts["again"] + _beginnings_of_ratings(run),
        ),
    )


def _beginnings_of_ratings(run: Run) -> int:
    """How often failed ratings may begin, those that --retry-failed adds included."""
    more = 1 if run.scope.retry_failed else 0
    tables = (run.store.ratings, run.store.audits)
    return sum(failed.tries + more for table in tables for failed in table.failures())


def _fusions(run: Run) -> Outlook:
    ids = [pair.id for pair in chosen_pairs(run)]
    counts: Counter[str] = Counter()
    differs: dict[str, None] = {}
    for made in run.store.fusions.made_alike(ids):
        differences = _differences(run, made)
        counts["failed" if made.failed else "again" if differences else "done"] += made.number
        if not made.failed:
            differs |= dict.fromkeys(differences)
    left = len(ids) - counts.total()
    more, begun = 1 if run.scope.retry_failed else 0, run.store.fusions.failed()
    beginnings = left + counts["again"] + sum(begun[each] + more for each in ids if each in begun)
    return Outlook(
        unit="fusions",
        done=counts["done"],
        failed=counts["failed"],
        left=left,
        again=counts["again"],
        differs=tuple(differs),
        estimate=estimate_of_fusions(run, left + counts["failed"] + counts["again"], beginnings),
    )


def profile_of(run: Run) -> Profile:
    """The prompts that the run's model is asked with."""
    return run.settings.of(ModelSettings).profile_for(resolved_model(run.settings, run.key))


def _differences(run: Run, made: MadeAlike) -> list[str]:
    """What of a fusion is not as it would be now; without a recipe, as an earlier ENTP left it, nothing."""
    if made.recipe is None:
        return []
    templates = current_hashes(profile_of(run))
    same = all(templates.get(name) == used for name, used in made.templates.items())
    differs = [] if same else [TEMPLATES]
    settings = made.recipe.settings
    differs += [name for name, value in asdict(fusion_settings(run)).items() if settings.get(name) != value]
    if made.recipe.ablate != run.settings.of(FuseSettings).fusion_ablate:
        differs.append("ablate")
    model, now = resolved_model(run.settings, run.key), run.settings.of(ModelSettings)
    asked: JsonObject = {"max_tokens": now.max_tokens}
    if model != EMBEDDED:  # which goes by the name of its file
        asked["model"] = model
    if now.reply_mode != "auto":
        asked["reply_mode"] = now.reply_mode
    return differs + [name for name, value in asked.items() if made.recipe.model.get(name) != value]


def _changed(run: Run) -> list[str]:
    """The settings of the model that this command has changed."""
    if run.before is None:
        return []
    before, now = run.before.of(ModelSettings), run.settings.of(ModelSettings)
    return [name for name in ModelSettings.model_fields if getattr(before, name) != getattr(now, name)]


def _changed_templates(run: Run) -> list[str]:
    """The templates that are not as they were when the run was last worked on."""
    profile = profile_of(run)
    stored = run.store.code().get(TEMPLATES)
    before = stored.get(profile) if isinstance(stored, dict) else None
    now = template_hashes(profile)
    return [name for name in now if isinstance(before, dict) and before.get(name) != now[name]]
