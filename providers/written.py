"""A chat model whose replies are written by hand: for an example that is the same anywhere."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, TypeAlias

from pydantic import BaseModel, ConfigDict, JsonValue

from ..records.calls import ChatReply, ChatRequest
from ..records.errors import EntpError

Reply: TypeAlias = dict[str, JsonValue]

NAME = "written by hand"


class WrittenReply(BaseModel):
    """One reply: the operator that it answers, at which attempt of its cycle."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    operator: str
    attempt: int
    reply: Reply


class WrittenGroup(BaseModel):
    """The replies about one text. `phrases`: a request is about it when one of these stands in its data."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    of: str
    phrases: tuple[str, ...]
    replies: tuple[WrittenReply, ...]


class WrittenReplies(BaseModel):
    """A file of replies; `about` tells its reader what it is for."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    about: str
    groups: tuple[WrittenGroup, ...]


class WrittenChat:
    """A chat model that answers from a file. It takes and counts no tokens."""

    def __init__(self, path: Path) -> None:
        self._groups = WrittenReplies.model_validate_json(path.read_text("utf-8")).groups

    @property
    def identity(self) -> dict[str, Any]:
        """The name under which the replies are recorded."""
        return {"model": NAME}

    async def complete(self, request: ChatRequest) -> ChatReply:
        """The reply that is written for this operator, attempt and text; an EntpError where there is none."""
        shown = request.messages[-1].content
        for group in self._groups:
            if any(phrase in shown for phrase in group.phrases):
                for written in group.replies:
                    if (written.operator, written.attempt) == (request.operator, request.attempt):
                        return ChatReply(text=json.dumps(written.reply, ensure_ascii=False))
        message = f"no reply is written for {request.operator}, attempt {request.attempt}, on this text"
        raise EntpError(message, "name a model that can answer with --model")
