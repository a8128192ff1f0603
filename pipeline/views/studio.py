"""The graphs as LangGraph Studio and `langgraph dev` load them (langgraph.json).

The model is that of the settings form, at first ENTP_MODEL or the embedded one, asked at ENTP_BASE_URL with
the key in OPENAI_API_KEY. Nothing is opened before the first call, and no saver is compiled in: the server
brings its own.
"""

from __future__ import annotations

import asyncio
import os
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Any

from langgraph.runtime import get_runtime

from ...graph.fusion import fusion_graph
from ...graph.state import FusionSettings
from ...graph.variant import variant_graph
from ...nodes.ask import ChatModel, Model
from ...records.calls import ChatReply, ChatRequest
from ..run.settings import EMBEDDED, ModelSettings, Settings, settings_of
from ..run.wiring import open_chat

NAME = os.environ.get("ENTP_MODEL") or EMBEDDED
SETTINGS = settings_of({"model": NAME, "base_url": os.environ.get("ENTP_BASE_URL") or None}, (ModelSettings,))


@dataclass(frozen=True, kw_only=True)
class StudioSettings(FusionSettings):
    """The settings form: what a run decides about a fusion, and the model."""

    model: str = field(default=NAME, metadata={"description": "the model to ask"})


class StudioChat:
    """The chat models of the settings form, each opened by its first call and open as long as the process."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._stack = AsyncExitStack()
        self._opened: dict[str, asyncio.Task[ChatModel]] = {}

    @property
    def identity(self) -> dict[str, Any]:
        """The model's name, as the environment has it."""
        return {"model": NAME}

    async def complete(self, request: ChatRequest) -> ChatReply:
        """Ask the model that the form names."""
        name = get_runtime(StudioSettings).context.model
        if name not in self._opened:
            opening = open_chat(self._settings.changed({"model": name}), os.environ.get("OPENAI_API_KEY"))
            self._opened[name] = asyncio.create_task(self._stack.enter_async_context(opening))
        chat = await asyncio.shield(self._opened[name])
        return await chat.complete(request)


_MODEL = Model(chat=StudioChat(SETTINGS), profile=SETTINGS.of(ModelSettings).profile_for(NAME))

_FUSION, _VARIANT = fusion_graph(_MODEL), variant_graph(_MODEL)
# the form is made from this type, and a run's context read into it
_FUSION.context_schema = _VARIANT.context_schema = StudioSettings
fusion, variant = _FUSION.compile(name="fusion"), _VARIANT.compile(name="variant")
