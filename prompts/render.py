"""From template and input to the messages of a call."""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import cache
from importlib.resources import files
from string import Template

from ..records.conversation import Conversation, Turn
from ..records.hashing import tagged_hash
from ..records.vocabulary import Profile
from .data_line import data_line
from .inputs import TemplateInput
from .strategies import FREE_MERGE, all_strategies

SYSTEM = "system"
"""The text that every template of a profile is sent with."""

_STRATEGY_FIELDS = {"strategy", "strategies"}


@dataclass(frozen=True, slots=True)
class Prompt:
    """A rendered template. `template_hash` is what `current_hashes` gives it, a SHA-256 in hex."""

    template: str
    template_hash: str
    messages: Conversation
    data_characters: int
    """How long the inserted data are, as they stand in the prompt."""


def render(given: TemplateInput, profile: Profile) -> Prompt:
    """The system turn of a profile and one user turn: the template of `given` with its data filled in.

    Both texts are used byte for byte. Raises ValueError where the template's placeholders are not exactly
    the fields of `given`.
    """
    system, user = _text(profile, SYSTEM), _text(profile, given.template)
    template = Template(user)
    values = {field.name: data_line(getattr(given, field.name)) for field in fields(given)}
    if set(template.get_identifiers()) != values.keys():
        message = (
            f"{profile}/{given.template}.txt has the placeholders {sorted(template.get_identifiers())}, "
            f"{type(given).__name__} has the fields {sorted(values)}; make them the same"
        )
        raise ValueError(message)
    return Prompt(
        template=given.template,
        template_hash=current_hashes(profile)[given.template],
        messages=(
            Turn(role="system", content=system),
            Turn(role="user", content=template.substitute(values)),
        ),
        data_characters=sum(map(len, values.values())),
    )


@cache
def current_hashes(profile: Profile) -> dict[str, str]:
    """The hash that `render` gives each template of a profile, by name.

    It is of the system text and the template's own, and of all strategies where these are filled in.
    """
    system = _text(profile, SYSTEM)
    names = (name for name in _names(profile) if name != SYSTEM)
    return {name: tagged_hash("template", [system, *_own_texts(profile, name)]) for name in names}


def _own_texts(profile: Profile, name: str) -> list[str]:
    text = _text(profile, name)
    shows_strategies = not _STRATEGY_FIELDS.isdisjoint(Template(text).get_identifiers())
    shown = (*all_strategies(), FREE_MERGE) if shows_strategies else ()
    return [text, *(word for strategy in shown for word in strategy)]


@cache
def _text(profile: Profile, name: str) -> str:
    # bytes first: reading as text would translate line ends
    return (files(__package__) / profile / f"{name}.txt").read_bytes().decode("utf-8")


@cache
def template_hashes(profile: Profile) -> dict[str, str]:
    """The hash of each text of a profile, by name, the system turn among them."""
    return {name: tagged_hash("text", _text(profile, name)) for name in _names(profile)}


def _names(profile: Profile) -> list[str]:
    found = (files(__package__) / profile).iterdir()
    return sorted(file.name.removesuffix(".txt") for file in found if file.name.endswith(".txt"))
