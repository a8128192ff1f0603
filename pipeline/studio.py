"""The graphs as LangGraph Studio and `langgraph dev` load them (langgraph.json).

The model is the embedded one, or that of ENTP_MODEL at ENTP_BASE_URL with the key in OPENAI_API_KEY. Nothing
is opened before the first call, and no saver is compiled in: the server brings its own.
"""

from __future__ import annotations

import asyncio
import os
from contextlib import AsyncExitStack
from typing import Any

from ..graph.cluster_fusion import cluster_fusion_graph
from ..graph.fusion import fusion_graph
from ..graph.variant import variant_graph
from ..nodes.ask import ChatModel, Model
from ..records.calls import ChatReply, ChatRequest
from .settings import EMBEDDED, Settings
from .wiring import open_chat

SETTINGS = Settings(model=os.environ.get("ENTP_MODEL", EMBEDDED), base_url=os.environ.get("ENTP_BASE_URL"))


class StudioChat:
    """A chat model that is opened by its first call and stays open as long as the process."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._stack = AsyncExitStack()
        self._opening: asyncio.Task[ChatModel] | None = None

    @property
    def identity(self) -> dict[str, Any]:
        """The model's name."""
        return {"model": self._settings.model}

    async def complete(self, request: ChatRequest) -> ChatReply:
        """Open the model if this is the first call, and ask it."""
        if self._opening is None:
            key = os.environ.get("OPENAI_API_KEY")
            self._opening = asyncio.create_task(
                self._stack.enter_async_context(open_chat(self._settings, key))
            )
        chat = await asyncio.shield(self._opening)
        return await chat.complete(request)


_MODEL = Model(chat=StudioChat(SETTINGS), profile=SETTINGS.profile_for(SETTINGS.model or EMBEDDED))

fusion = fusion_graph(_MODEL).compile(name="fusion")
variant = variant_graph(_MODEL).compile(name="variant")
cluster_fusion = cluster_fusion_graph(fusion.ainvoke).compile(name="cluster_fusion")
