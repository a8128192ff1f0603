"""From calls, fusions and verdicts to the tables of bench/prompts.py. All shares are 0-1."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias, get_args

from entp.cli.output import emit, table
from entp.graph.optimizer import MERGE_TEMPLATE
from entp.graph.state import Attempt, FusionState, Outcome
from entp.graph.terms import stands_in, words_of
from entp.nodes.templates import TEMPLATES, Writer, template_named
from entp.prompts.render import current_hashes
from entp.records.conversation import from_json, plain_text
from entp.records.vocabulary import VARIANTS, Profile
from prompt_cases import Fault, Pair, Text
from prompt_verdicts import CHECKS, Verdict

Row: TypeAlias = dict[str, Any]
Figures: TypeAlias = dict[str, list[Row]]

Came: TypeAlias = Literal["fits", "unfit", "cut off", "declined", "refused"]
"""What a reply was worth: `unfit` has not the reply's type, `refused` is an error in place of a reply."""

HASH_SHOWN = 8
# of each table: its title, and how many columns say what a row is about
TITLES: dict[str, tuple[str, int]] = {
    "replies": ("Replies, by template", 1),
    "texts": ("What came of the texts that a template wrote", 1),
    "losses": ("Loss by attempt", 2),
    "pairs": ("Fused rows, by what their pair is there for", 1),
    "faults": ("Checks on texts whose faults are known: share that saw what is true", 3),
    "failures": ("What failed", 1),
}


@dataclass(frozen=True)
class Call:
    """One request of an operator; `reask` is 0 for its first."""

    operator: str
    reask: int
    came: Came
    prompt_tokens: int
    completion_tokens: int


@dataclass(frozen=True)
class Fused:
    """A pair and what came of it: the state that its fusion ended in, or why there is none."""

    pair: Pair
    state: FusionState | None
    reason: str = ""

    @property
    def outcomes(self) -> list[Outcome]:
        """Its variants as they ended."""
        return [] if self.state is None else [found for _, found in sorted(self.state["variants"].items())]

    @property
    def terms(self) -> tuple[list[str], list[str]]:
        """The key terms of both rows."""
        assert self.state is not None, "a fusion that ended"
        left, right = (list(self.state["domains"][side]["key_terms"]) for side in ("left", "right"))
        return left, right


def figures(calls: list[Call], fusions: list[Fused], verdicts: list[Verdict], profile: Profile) -> Figures:
    """Every table, by the names of TITLES."""
    return {
        "replies": list(_replies(calls, profile)),
        "texts": list(_texts(fusions, profile)),
        "losses": list(_losses(fusions)),
        "pairs": list(_by_pair(fusions)),
        "faults": list(_faults(verdicts)),
        "failures": [{"reason": why, "variants": count} for why, count in _reasons(fusions).most_common()],
    }


def accepted(fusions: list[Fused]) -> list[Text]:
    """The fused rows of loss 0 in which a key term stands as given; the first of each pair come first."""
    found: list[tuple[int, Text]] = []
    for fused in fusions:
        rank = 0
        for outcome in fused.outcomes:
            if outcome["loss"] == 0:
                turns = from_json(outcome["turns"])
                words = words_of(plain_text(turns))
                left, right = ([term for term in terms if stands_in(term, words)] for terms in fused.terms)
                if left or right:
                    found.append((rank, Text("accepted", turns, left, right)))
                    rank += 1
    return [text for _, text in sorted(found, key=lambda each: each[0])]


def show(results: Sequence[tuple[str, Figures]]) -> None:
    """Print the tables; with two results, the rows of the second below those of the first."""
    for name, (title, keys) in TITLES.items():
        rows = [(label, row) for label, found in results for row in found[name]]
        if not rows:
            continue
        order = {
            key: at for at, key in enumerate(dict.fromkeys(tuple(row.values())[:keys] for _, row in rows))
        }
        rows.sort(key=lambda each: order[tuple(each[1].values())[:keys]])
        emit(title)
        header = list(rows[0][1])
        cells = [[_shown(value) for value in row.values()] for _, row in rows]
        if len(results) > 1:
            header = [*header[:keys], "of", *header[keys:]]
            cells = [[*c[:keys], label, *c[keys:]] for (label, _), c in zip(rows, cells, strict=True)]
        table(header, cells)
        emit()


def _shown(value: Any) -> Any:
    return "-" if value is None else f"{value:.2f}" if isinstance(value, float) else value


def _replies(calls: list[Call], profile: Profile) -> Iterator[Row]:
    for template in TEMPLATES:
        made = [call for call in calls if call.operator == template.name]
        first = [call for call in made if not call.reask]
        came = [call for call in made if call.came != "refused"]
        if made:
            yield {
                "template": template.name,
                "version": current_hashes(profile)[template.name][:HASH_SHOWN],
                "asked": len(first),
                "fit at once": _mean(call.came == "fits" for call in first),
                "re-asks": len(made) - len(first),
                "never fit": len(first) - sum(call.came == "fits" for call in made),
                **{
                    kind: sum(call.came == kind for call in made)
                    for kind in ("cut off", "declined", "refused")
                },
                "prompt tokens": _mean((call.prompt_tokens for call in came if not call.reask), digits=0),
                "reply tokens": _mean((call.completion_tokens for call in came), digits=0),
            }


def _texts(fusions: list[Fused], profile: Profile) -> Iterator[Row]:
    written: dict[str, list[Attempt]] = defaultdict(list)
    for outcome in _outcomes(fusions):
        for attempt in outcome["attempts"]:
            # the first attempt of Cycle 2 judges what Cycle 1 wrote
            if attempt["cycle"] == 1 or attempt["attempt"] > 1:
                written[attempt["template"]].append(attempt)
    for template in (row for row in TEMPLATES if row.name in written):
        made = written[template.name]
        edits = [attempt["edit"] for attempt in made if attempt.get("edit")]
        yield {
            "template": template.name,
            "version": current_hashes(profile)[template.name][:HASH_SHOWN],
            "texts": len(made),
            "terms there": _mean(map(_terms_there, made)),
            "by meaning": _mean(map(_by_meaning, made)),
            "loss": _mean(len(attempt["loss"]["unmet"]) for attempt in made),
            "at 0": _mean(not attempt["loss"]["unmet"] for attempt in made),
            "met its aim": _mean(_met_aim(attempt) for attempt in made),
            "changed": _mean(edit["changed"] for edit in edits),
            "beyond its limit": _mean(bool(edit["faults"]) for edit in edits),
        }


def _terms_there(attempt: Attempt) -> float | None:
    """The share of key terms that are in the text; only Cycle 1 looks for them."""
    there, missing = len(attempt["loss"]["included_terms"]), len(attempt["loss"]["missing_terms"])
    return there / (there + missing) if there + missing else None


def _by_meaning(attempt: Attempt) -> float | None:
    there = attempt["loss"]["included_terms"]
    return len(attempt["loss"].get("carried_by", {})) / len(there) if there else None


def _met_aim(attempt: Attempt) -> bool | None:
    """Whether all that led to the template is met in its text; None for the merge, which nothing led to."""
    if attempt["template"] == MERGE_TEMPLATE:
        return None
    template = template_named(attempt["template"])
    assert isinstance(template, Writer)
    return set(template.unmet).isdisjoint(attempt["loss"]["unmet"])


def _losses(fusions: list[Fused]) -> Iterator[Row]:
    by_number: dict[tuple[int, int], list[int]] = defaultdict(list)
    for outcome in _outcomes(fusions):
        for attempt in outcome["attempts"]:
            by_number[attempt["cycle"], attempt["attempt"]].append(len(attempt["loss"]["unmet"]))
    for (cycle, number), found in sorted(by_number.items()):
        yield {
            "cycle": cycle,
            "attempt": number,
            "variants": len(found),
            "loss": _mean(found),
            "at 0": _mean(loss == 0 for loss in found),
        }


def _by_pair(fusions: list[Fused]) -> Iterator[Row]:
    kinds = list(dict.fromkeys(fused.pair.why for fused in fusions))
    for kind in (*kinds, "all") if fusions else ():
        of_kind = [fused for fused in fusions if kind in (fused.pair.why, "all")]
        outcomes = list(_outcomes(of_kind))
        ended = [outcome for outcome in outcomes if outcome["loss"] is not None]
        yield {
            "pairs for": kind,
            "pairs": len(of_kind),
            "related as by hand": _mean(
                fused.state["domains"]["relationship"] == fused.pair.relation
                for fused in of_kind
                if fused.state
            ),
            "variants": VARIANTS * len(of_kind),
            "failed": VARIANTS * len(of_kind) - len(ended),
            "terms in the end": _mean(
                _terms_in_the_end(fused, o) for fused in of_kind for o in fused.outcomes
            ),
            "loss": _mean(outcome["loss"] for outcome in ended),
            "accepted at 0": sum(o["loss"] == 0 for o in ended) / (VARIANTS * len(of_kind)),
        }


def _terms_in_the_end(fused: Fused, outcome: Outcome) -> float | None:
    """The share of key terms that stand as given in the text that a variant ended with."""
    left, right = fused.terms
    terms = dict.fromkeys((*left, *right))
    words = words_of(plain_text(from_json(outcome["turns"])))
    if outcome["loss"] is None or not terms:
        return None
    return sum(stands_in(term, words) for term in terms) / len(terms)


def _faults(verdicts: list[Verdict]) -> Iterator[Row]:
    for fault in get_args(Fault):
        for operator in CHECKS[fault]:
            for origin in ("row", "accepted"):
                found = [v for v in verdicts if (v.fault, v.operator, v.origin) == (fault, operator, origin)]
                if found:
                    yield {
                        "fault": fault,
                        "check": operator,
                        "in": origin,
                        "texts": len(found),
                        "no reply": sum(verdict.word is None for verdict in found),
                        "word": _mean(verdict.word is True for verdict in found),
                        "with the symbolic check": _mean(verdict.checked is True for verdict in found),
                    }


def _reasons(fusions: list[Fused]) -> Counter[str]:
    whole = [fused.reason for fused in fusions if fused.reason for _ in range(VARIANTS)]
    return Counter([*whole, *(outcome["reason"] for outcome in _outcomes(fusions) if outcome["reason"])])


def _outcomes(fusions: list[Fused]) -> Iterator[Outcome]:
    return (outcome for fused in fusions for outcome in fused.outcomes)


def _mean(values: Iterable[float | None], *, digits: int = 3) -> float | None:
    known = [value for value in values if value is not None]
    return round(sum(known) / len(known), digits or None) if known else None
