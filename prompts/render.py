"""From template and input to the messages of a call."""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import cache
from importlib.resources import files
from string import Template
from typing import Literal, TypeAlias

from ..records.conversation import Conversation, Turn
from ..records.rows import tagged_hash
from .data_line import data_line
from .inputs import TemplateInput

Profile: TypeAlias = Literal["full", "compact"]


@dataclass(frozen=True, slots=True)
class Prompt:
    """A rendered template. `template_hash` is the SHA-256 (hex) of the system text and the template's own."""

    template: str
    template_hash: str
    messages: Conversation


def render(given: TemplateInput, profile: Profile) -> Prompt:
    """The system turn of a profile and one user turn: the template of `given` with its data filled in.

    Both texts are used byte for byte. Raises ValueError where the template's placeholders are not exactly
    the fields of `given`.
    """
    system, user = _text(profile, "system"), _text(profile, given.template)
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
        template_hash=tagged_hash("template", [system, user]),
        messages=(
            Turn(role="system", content=system),
            Turn(role="user", content=template.substitute(values)),
        ),
    )


@cache
def _text(profile: Profile, name: str) -> str:
    # bytes first: reading as text would translate line ends
    return (files(__package__) / profile / f"{name}.txt").read_bytes().decode("utf-8")


@cache
def template_hashes(profile: Profile) -> dict[str, str]:
    """The hash of each text of a profile, by name, the system turn among them."""
    return {name: tagged_hash("text", _text(profile, name)) for name in _names(profile)}


@cache
def templates_hash(profile: Profile) -> str:
    """One hash of all texts of a profile: what a fusion depends on."""
    return tagged_hash("templates", [_text(profile, name) for name in _names(profile)])


def _names(profile: Profile) -> list[str]:
    found = (files(__package__) / profile).iterdir()
    return sorted(file.name.removesuffix(".txt") for file in found if file.name.endswith(".txt"))
