"""The settings of a run: one frozen object, read once, stored with the run, passed down as plain values.

Precedence, later beats earlier: 1. the defaults here, 2. what the run folder has stored, 3. a settings file
(--settings FILE, TOML), 4. the command's options. Keys are no settings: they are never stored.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal
from urllib.parse import parse_qsl

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from ...prompts.render import Profile
from ...records.errors import UsageError

EMBEDDED = "embedded"
ContentClass = Literal["math", "code", "table"]
Kind = Literal["intra", "inter"]

# what may stand in the query of an address
_QUERY = {"api-version"}


class Settings(BaseModel):
    """Everything that a run can be told, each with its default."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    pool: tuple[str, ...] = Field(default=(), description="files or data sets that make up the pool")
    strict: bool = Field(default=False, description="stop at the first record that is no row")
    max_row_bytes: int = Field(default=1_000_000, gt=0, description="a longer row is rejected")

    model: str | None = Field(default=None, description="name of the chat model; 'embedded' needs no server")
    base_url: str | None = Field(default=None, description="address of an OpenAI-compatible server")
    gguf: str | None = Field(default=None, description="GGUF file for the embedded model")
    profile: Profile | None = Field(default=None, description="prompts: full, or compact for small models")
    reply_mode: Literal["auto", "json_schema", "json_object", "plain"] = Field(
        default="auto", description="how the server is asked for JSON; auto finds out by one short call"
    )
    max_tokens: int | None = Field(default=None, gt=0, description="most tokens of a reply")
    timeout_s: float = Field(default=600, gt=0, description="seconds to wait for a reply")
    concurrency: int = Field(default=32, gt=0, description="most requests in flight")
    ledger: str | None = Field(
        default=None, description="file of calls to use in place of the run folder's; runs may share one"
    )

    prompt_price: float | None = Field(
        default=None, ge=0, description="dollars per million prompt tokens, for estimates"
    )
    completion_price: float | None = Field(
        default=None, ge=0, description="dollars per million completion tokens, for estimates"
    )

    rater: str | None = Field(
        default=None, description="which of the pool's raters counts; 'model' asks the model for every row"
    )
    rating_scale: Literal["auto", "0-5", "1-10"] = Field(
        default="auto", description="scale of the pool's own ratings"
    )
    audit: int = Field(
        default=0, ge=0, description="rate so many random rows a second time, to know how the rater errs"
    )
    encoder: str = Field(
        default="BAAI/bge-large-en-v1.5", description="sentence-transformers model, or 'embedded'"
    )
    correction: Literal["auto", "neighbours", "crossfit", "audited", "hoc", "raw"] = Field(
        default="auto", description="how scores are corrected; auto abstains where it cannot be trusted"
    )
    neighbours: int = Field(default=20, ge=2, description="nearest neighbours of a row to look at")
    lq_below: int = Field(default=3, ge=1, le=5, description="lowest corrected score of the high-quality set")

    exclude: tuple[ContentClass, ...] = Field(
        default=("math", "code", "table"), description="content classes left out of fusion"
    )
    clusterer: Literal["one_hop", "hdbscan"] = Field(default="one_hop", description="how rows are clustered")
    similarity: float = Field(default=0.9, gt=0, le=1, description="least cosine to a cluster's centre")
    kinds: tuple[Kind, ...] = Field(default=("intra", "inter"), description="kinds of pairs to plan")
    fold: Literal["left", "tree"] = Field(default="left", description="how a cluster is merged into one")
    seed: int = Field(default=0, ge=0, description="for every draw: shuffles, ties, samples")

    tries: int = Field(
        default=1, ge=1, description="how often a failed item is begun; raised by --retry-failed"
    )

    pairs: int | None = Field(
        default=None, ge=1, description="fuse only so many pairs, both kinds, short texts first: a trial"
    )
    keep_checkpoints: Literal["all", "last", "none"] = Field(
        default="last",
        description="checkpoints of a fusion to keep for Studio: every superstep, the end or nothing",
    )
    budget: int = Field(default=3, ge=1, le=10, description="most attempts a cycle, the first included")
    temperature: float = Field(default=0.2, ge=0, le=2, description="for every operator but domain analysis")
    domain_temperature: float = Field(default=0.4, ge=0, le=2, description="for domain analysis")

    blend_percent: float = Field(default=100, ge=0, le=100, description="share of the fused rows to blend in")
    blend_kinds: tuple[Kind, ...] = Field(
        default=("intra", "inter"), description="kinds of fused rows to take"
    )
    max_loss: int | None = Field(default=None, ge=0, description="leave out fused rows of a higher loss")

    form: Literal["messages", "text", "alpaca", "sharegpt"] = Field(
        default="messages", description="form of the exported rows"
    )
    out: str | None = Field(default=None, description="exported file (.jsonl or .parquet)")

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
            message = "the model server's address holds a user name, a password or a query that may be a key"
            remedy = "give the key in OPENAI_API_KEY or with --key-file, and no query but api-version"
            raise UsageError(message, remedy)
        return address

    @field_validator("ledger")
    @classmethod
    def _whole(cls, path: str | None) -> str | None:
        """The whole path, so that later commands may be given in another folder."""
        return path and str(Path(path).absolute())

    def changed(self, changes: Mapping[str, Any]) -> Settings:
        """These settings with some values changed; an unknown name or a wrong value is a UsageError.

        `include` is no setting but a change of one: content classes to take out of `exclude`.
        """
        values = self.model_dump() | dict(changes)
        included = values.pop("include", ())
        if included:
            values["exclude"] = [name for name in values["exclude"] if name not in included]
        try:
            return Settings.model_validate(values)
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            name = ".".join(str(part) for part in first["loc"])
            if first["type"] == "extra_forbidden":  # whose value may be a key
                message = f"there is no setting {name!r}"
                raise UsageError(message, "see entp run --help for what there is") from None
            message = f"setting {name!r}: {first['msg']}, found {first.get('input')!r}"
            raise UsageError(message, "see entp run --help for what there is") from error

    def profile_for(self, model: str) -> Profile:
        """The prompt profile: as set, else compact for the embedded model and full for any other."""
        return self.profile or ("compact" if model == EMBEDDED else "full")


def settings_file(path: Path) -> dict[str, Any]:
    """The settings in a TOML file, by name."""
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        message = f"settings file {path}: {error}"
        raise UsageError(message, "give a TOML file with lines such as similarity = 0.85") from error
