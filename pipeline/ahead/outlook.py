"""Outlook: what a stage that asks the model has done, what is left to ask, and what that may take."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from typing import Any, Literal

from ...checkpoints.sqlite.run_store import Record
from ...prompts.render import Profile, template_hashes, templates_hash
from ...records.errors import UsageError
from ..run.run_folder import Run
from ..run.settings import EMBEDDED
from ..run.stage import state_of
from ..run.wiring import resolved_model
from ..stages.order import MODEL_SETTINGS, stage_named
from ..stages.planned import chosen_pairs, fusion_settings, rows_to_rate
from .estimate import Estimate, estimate_of_fusions, estimate_of_ratings

TEMPLATES = "templates"
# what the prompt of a rating is made of
_OF_A_RATING = ("rating", "rating_again", "system")

_RATED = """
SELECT (score IS NOT NULL) AS usable, rater, count(*) AS n FROM (
    SELECT row_id, score, rater FROM ratings WHERE origin = 'model'
    UNION ALL SELECT row_id, score, rater FROM audits
) WHERE row_id IN (SELECT id FROM rows) GROUP BY 1, 2
"""
_FUSED = """
SELECT recipe, count(*) AS n, status = 'failed' OR EXISTS
    (SELECT 1 FROM fused_rows WHERE fusion_id = fusions.id AND status = 'failed') AS failed
FROM fusions WHERE id IN (SELECT value FROM json_each(?)) GROUP BY 1, 3
"""


@dataclass(frozen=True)
class Outlook:
    """Where a stage that asks the model stands.

    `done` stays as it is; `failed` and `left` are asked for, and so is `anew`: what was done in another way.
    `differs` names what makes the difference: settings, or `templates`.
    """

    unit: Literal["ratings", "fusions"]
    done: int
    failed: int
    left: int
    anew: int
    differs: tuple[str, ...]
    estimate: Estimate

    @property
    def asked(self) -> int:
        """How many are asked for."""
        return self.failed + self.left + self.anew


def outlook(run: Run, name: str, *, retry_failed: bool = False) -> Outlook | None:
    """The outlook of stage `rate` or `fuse`; None where it is up to date or cannot run yet."""
    stage = stage_named(name)
    if any(state_of(run, stage_named(read)) != "done" for read in stage.reads):
        return None
    if state_of(run, stage) == "done":
        mark = run.store.mark(name)
        if not (retry_failed and mark and mark.books.failed):
            return None
    elif name == "rate" and not rows_to_rate(run):
        return None
    return _ratings(run) if name == "rate" else _fusions(run)


def outlooks(run: Run) -> dict[str, Outlook | None]:
    """The outlooks of both stages; None also where a setting is missing without which none can be told."""
    found: dict[str, Outlook | None] = {}
    for name in ("rate", "fuse"):
        try:
            found[name] = outlook(run, name)
        except UsageError:
            found[name] = None
    return found


def _ratings(run: Run) -> Outlook:
    changed = _changed(run, MODEL_SETTINGS)
    if set(_changed_templates(run)) & set(_OF_A_RATING):
        changed.append(TEMPLATES)
    model = resolved_model(run.settings, run.key)
    counts: Counter[str] = Counter()
    for found in run.store.query(_RATED):
        other = changed or (model != EMBEDDED and found["rater"] != model)
        counts["failed" if not found["usable"] else "anew" if other else "done"] += found["n"]
    if counts["anew"] and not changed:
        changed.append("model")
    wanted = rows_to_rate(run) or counts.total()
    left = max(0, wanted - counts.total())
    asked = estimate_of_ratings(run, left + counts["failed"] + counts["anew"])
    return Outlook("ratings", counts["done"], counts["failed"], left, counts["anew"], tuple(changed), asked)


def _fusions(run: Run) -> Outlook:
    ids = [pair["id"] for pair in chosen_pairs(run)]
    counts: Counter[str] = Counter()
    differs: dict[str, None] = {}
    for found in run.store.query(_FUSED, json.dumps(ids)):
        differences = _differences(run, json.loads(found["recipe"]))
        counts["failed" if found["failed"] else "anew" if differences else "done"] += found["n"]
        if not found["failed"]:
            differs |= dict.fromkeys(differences)
    left = len(ids) - counts.total()
    asked = estimate_of_fusions(run, left + counts["failed"] + counts["anew"])
    return Outlook("fusions", counts["done"], counts["failed"], left, counts["anew"], tuple(differs), asked)


def profile_of(run: Run) -> Profile:
    """The prompts that the run's model is asked with."""
    return run.settings.profile_for(resolved_model(run.settings, run.key))


def _differences(run: Run, recipe: Record) -> list[str]:
    """What of a recipe is not as it would be now; one that an older ENTP left empty tells nothing."""
    if not recipe:
        return []
    differs = [] if recipe["templates"] == templates_hash(profile_of(run)) else [TEMPLATES]
    now: dict[str, Any] = vars(fusion_settings(run))
    differs += [name for name, value in now.items() if recipe["settings"].get(name) != value]
    asked = {"model": resolved_model(run.settings, run.key), "max_tokens": run.settings.max_tokens}
    if asked["model"] == EMBEDDED:  # which goes by the name of its file
        del asked["model"]
    if run.settings.reply_mode != "auto":
        asked["reply_mode"] = run.settings.reply_mode
    return differs + [name for name, value in asked.items() if recipe["model"].get(name) != value]


def _changed(run: Run, names: tuple[str, ...]) -> list[str]:
    """The settings among `names` that this command has changed."""
    if run.before is None:
        return []
    return [name for name in names if getattr(run.before, name) != getattr(run.settings, name)]


def _changed_templates(run: Run) -> list[str]:
    """The templates that are not as they were when the run was last worked on."""
    profile = profile_of(run)
    before = run.store.code().get(TEMPLATES, {}).get(profile)
    now = template_hashes(profile)
    return [name for name in now if before and before.get(name) != now[name]]
