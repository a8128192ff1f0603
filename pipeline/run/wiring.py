"""Wiring of the real parts: the chat model behind the ledger, as the settings ask for it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from ...checkpoints.recorded_chat import Counts, RecordedChat
from ...checkpoints.sqlite.ledger import Ledger
from ...nodes.ask import ChatModel, Model
from ...providers.gate import Gate
from ...records.errors import UsageError
from .run_folder import Run, ledger_path
from .settings import EMBEDDED, Settings


@dataclass(frozen=True)
class OpenModel:
    """A model ready to be asked, and the running count of what is asked and spent."""

    model: Model
    counts: Counts


def resolved_model(settings: Settings, key: str | None) -> str:
    """The model's name: as set, or the embedded one where neither model, address nor key is given.

    An address or a key without a model is a UsageError: nothing is spent on a guess.
    """
    if settings.model:
        return settings.model
    if settings.base_url or key:
        found = "an address" if settings.base_url else "a key in OPENAI_API_KEY"
        message = f"{found} but no model is given"
        raise UsageError(message, "name one with --model NAME, or take --model embedded")
    return EMBEDDED


@asynccontextmanager
async def open_model(run: Run) -> AsyncIterator[OpenModel]:
    """The chat model of a run, every call recorded; an embedded server starts and stops with it."""
    settings = run.settings
    with Ledger(ledger_path(run)) as ledger:
        async with open_chat(settings, run.key, ledger, run.gate) as chat:
            recorded = RecordedChat(chat, ledger)
            profile = settings.profile_for(resolved_model(settings, run.key))
            model = Model(chat=recorded, profile=profile, tries=settings.tries)
            yield OpenModel(model, recorded.counts)


@asynccontextmanager
async def open_chat(
    settings: Settings, key: str | None, ledger: Ledger | None = None, gate: Gate | None = None
) -> AsyncIterator[ChatModel]:
    """The chat model that the settings ask for, checked: reachable, the key accepted, the model there.

    With reply mode `auto` it is found out what the server can do, unless the ledger knows.
    """
    from ...providers.chat import OpenAIChat
    from .reply_mode import settle_reply_mode

    async with AsyncExitStack() as stack:
        base_url, name, api_key = settings.base_url, resolved_model(settings, key), key
        embedded = name == EMBEDDED
        if embedded:
            base_url, name = await _start_embedded(stack, settings)
            api_key = None
        chat = OpenAIChat(
            model=name,
            base_url=base_url,
            api_key=api_key,
            reply_mode="json_schema" if settings.reply_mode == "auto" else settings.reply_mode,
            max_tokens=settings.max_tokens,
            timeout_s=settings.timeout_s,
            concurrency=settings.concurrency,
            gate=gate,
        )
        stack.push_async_callback(chat.aclose)
        await chat.check()
        if settings.reply_mode == "auto" and not embedded:
            await settle_reply_mode(chat, settings.base_url or "", ledger)
        yield chat


async def _start_embedded(stack: AsyncExitStack, settings: Settings) -> tuple[str, str]:
    from ...providers.embedded import EmbeddedServer

    server = EmbeddedServer(Path(settings.gguf) if settings.gguf else None)
    # first, so that a server that is still loading ends as well
    stack.callback(server.__exit__, None, None, None)
    # loading takes a second, in which the event loop should not stand still
    await asyncio.to_thread(server.__enter__)
    return server.base_url, server.model
