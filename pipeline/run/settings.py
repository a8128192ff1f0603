"""The settings of a run, by kind, and where they come from.

Precedence, later beats earlier: 1. the defaults, 2. what the run folder has stored, 3. a settings file
(--settings FILE, TOML), 4. the command's options. There are three kinds: what shapes results (each stage
declares its own, and is stale when they change), how to ask a model (`Asking`), and where things are
(`Places`). The scope of one command (`Scope`) is not a setting and never stored, and neither are keys.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Literal, TypeAlias, TypeVar
from urllib.parse import parse_qsl

from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError, field_validator

from ...records.errors import UsageError
from ...records.stored import JsonObject
from ...records.vocabulary import Ablation, KeepCheckpoints, Profile, ReplyModeChoice

SettingKind: TypeAlias = Literal["results", "asking", "places"]

EMBEDDED = "embedded"
UNSET = "unset"
# what may stand in the query of an address
_QUERY = {"api-version"}
_SEE = "see entp run --help for what there is"

# names that are gone, and what stands in their place
RENAMED = {
    "blend_percent": 'it is part of a data set\'s name now: sets = ["hq+entp@50%"]',
    "blend_kinds": 'it is part of a data set\'s name now: sets = ["hq+intra"]',
    "pairs": "it applies to one command now and is not stored: give --pairs N to entp run or entp fuse",
    "exclude": 'name the classes to fuse anyway: include = ["math"]',
    "tries": "attempts are counted by item now: --retry-failed tries failed items once more",
}


class Part(BaseModel):
    """Settings that belong together, each with its default. Names are unique over all parts of a run."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    kind: ClassVar[SettingKind] = "results"


class Seeded(Part):
    """Settings of a stage that draws."""

    seed: int = Field(default=0, ge=0, description="for every draw: shuffles, ties, samples")


class Ablated(Part):
    """Settings of a stage from which a part of the method may be taken, for a comparison."""

    ablate: Ablation = Field(
        default="none",
        description="part of the method to switch off for a comparison; names of data sets say which",
    )


class ModelSettings(Part):
    """Which model answers, and what of the way it is asked shapes its answers."""

    model: str | None = Field(default=None, description="name of the chat model; 'embedded' needs no server")
    gguf: str | None = Field(default=None, description="GGUF file for the embedded model")
    profile: Profile | None = Field(default=None, description="prompts: full, or compact for small models")
    reply_mode: ReplyModeChoice = Field(
        default="auto", description="how the server is asked for JSON; auto finds out by one short call"
    )
    max_tokens: int | None = Field(
        default=None, gt=0, description="most tokens of a reply; by default what fits the operator"
    )

    def profile_for(self, model: str) -> Profile:
        """The prompt profile: as set, else compact for the embedded model and full for any other."""
        return self.profile or ("compact" if model == EMBEDDED else "full")


class Asking(Part):
    """How a model is asked; none of it changes what it answers."""

    kind: ClassVar[SettingKind] = "asking"

    concurrency: int = Field(default=32, gt=0, description="most requests in flight")
    items: int | None = Field(
        default=None, gt=0, description="most rows or fusions at work at a time; by default as --concurrency"
    )
    timeout_s: float = Field(default=600, gt=0, description="seconds to wait for a reply")
    prompt_price: float | None = Field(
        default=None, ge=0, description="dollars per million prompt tokens, for estimates"
    )
    completion_price: float | None = Field(
        default=None, ge=0, description="dollars per million completion tokens, for estimates"
    )

    @property
    def items_at_work(self) -> int:
        """Most rows or fusions at work at a time."""
        return self.items or self.concurrency


class Places(Part):
    """Where things are, and what is kept."""

    kind: ClassVar[SettingKind] = "places"

    pool: tuple[str, ...] = Field(default=(), description="files or data sets that make up the pool")
    base_url: str | None = Field(default=None, description="address of an OpenAI-compatible server")
    ledger: str | None = Field(
        default=None, description="file of calls to use in place of the run folder's; runs may share one"
    )
    out: str | None = Field(default=None, description="exported file (.jsonl or .parquet)")
    keep_checkpoints: KeepCheckpoints = Field(
        default="last",
        description="checkpoints of a fusion to keep for Studio: every superstep, the end or nothing",
    )

    @field_validator("base_url")
    @classmethod
    def _without_secrets(cls, address: str | None) -> str | None:
        """Refuse what may be a secret in an address: settings are stored, and shown in messages."""
        if address is None:
            return None
        scheme, _, rest = address.partition("://")
        host, query = re.split("[/?#]", rest or scheme, maxsplit=1)[0], address.partition("?")[2]
        named = {name for name, _ in parse_qsl(query, keep_blank_values=True)}
        if "@" in host or "#" in address or named - _QUERY:
            message = "the model server's address has a user name, password or query in it that may be a key"
            remedy = "give the key in OPENAI_API_KEY or with --key-file, and no query but api-version"
            raise UsageError(message, remedy)
        return address

    @field_validator("ledger")
    @classmethod
    def _whole(cls, path: str | None) -> str | None:
        """The whole path, so that later commands may be given in another folder."""
        return path and str(Path(path).absolute())


RUN_PARTS: tuple[type[Part], ...] = (Asking, Places)
P = TypeVar("P", bound=Part)


@dataclass(frozen=True)
class Scope:
    """What one command is about. It is never stored, and a narrower one takes nothing away."""

    pairs: int | None = field(
        default=None,
        metadata={
            "description": "fuse only so many pairs, both kinds, those of the shortest texts first: a cheap "
            "trial and not a sample; for a sample give --intra, --inter or --rows"
        },
    )
    only: tuple[str, ...] = ()
    """Fuse only the pairs of these ids, and the fusions that they build on."""
    retry_failed: bool = False
    """Failed items begin once more."""


WHOLE = Scope()
"""A command about the whole run."""


@dataclass(frozen=True)
class Settings:
    """All settings of a run: `parts` say which there are, `values` hold what is not the default."""

    parts: tuple[type[Part], ...]
    values: Mapping[str, Any] = field(default_factory=dict)

    def of(self, part: type[P]) -> P:
        """One part, with defaults for what is not set."""
        return part.model_validate(
            {name: self.values[name] for name in part.model_fields if name in self.values}
        )

    def whole(self) -> JsonObject:
        """Every setting by name, as it is stored with the run."""
        found: dict[str, JsonValue] = {}
        for part in self.parts:
            found |= self.of(part).model_dump(mode="json")
        return found

    def chosen(self) -> JsonObject:
        """The settings that are not at their defaults."""
        default = Settings(self.parts).whole()
        return {name: value for name, value in self.whole().items() if value != default[name]}

    def changed(self, changes: Mapping[str, Any]) -> Settings:
        """These settings with some values changed; `unset` names those that go back to their defaults.

        An unknown name or a wrong value is a UsageError.
        """
        given = dict(changes)
        unset = _names(given.pop(UNSET, ()))
        known = {name for part in self.parts for name in part.model_fields}
        for name in [*given, *unset]:
            if name not in known:
                _refuse_name(name)
        values = {name: value for name, value in {**self.values, **given}.items() if name not in unset}
        changed = Settings(self.parts, values)
        for part in self.parts:
            try:
                changed.of(part)
            except ValidationError as error:
                first = error.errors(include_url=False)[0]
                name = ".".join(str(step) for step in first["loc"])
                message = f"setting {name!r}: {first['msg']}, found {first.get('input')!r}"
                raise UsageError(message, _SEE) from error
        return changed


def settings_of(stored: Mapping[str, Any], parts: Iterable[type[Part]]) -> Settings:
    """The settings that a run has stored."""
    return Settings((*RUN_PARTS, *dict.fromkeys(parts))).changed(stored)


def settings_file(path: Path) -> dict[str, Any]:
    """The settings in a TOML file, by name."""
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        message = f"settings file {path}: {error}"
        raise UsageError(message, "give a TOML file with lines such as similarity = 0.85") from error


def _names(given: object) -> Sequence[str]:
    return (
        [given]
        if isinstance(given, str)
        else [str(name) for name in given]
        if isinstance(given, list | tuple)
        else []
    )


def _refuse_name(name: str) -> None:
    """Say that there is no such setting; never its value, which may be a key."""
    message = f"there is no setting {name!r}"
    raise UsageError(message, RENAMED.get(name, _SEE))
