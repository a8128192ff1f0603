"""Wiring of the real parts: the chat model behind the ledger, as the settings ask for it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from ...checkpoints.ledger import Ledger
from ...checkpoints.recorded_chat import Counts, RecordedChat
from ...nodes.ask import ChatModel, Model
from ...nodes.schema import limits_of
from ...providers.admission import Admission
from ...records.calls import Origin
from ...records.errors import UsageError
from ...records.vocabulary import ReplyMode
from .run_folder import Run
from .settings import EMBEDDED, Asking, ModelSettings, Places, Settings


@dataclass(frozen=True)
class OpenModel:
    """A model ready to be asked, and the running count of what is asked and spent."""

    model: Model
    counts: Counts

    @property
    def name(self) -> str:
        """The name of the model."""
        return str(self.model.chat.identity["model"])


def resolved_model(settings: Settings, key: str | None) -> str:
    """The model's name: as set, or the embedded one where neither model, address nor key is given.

    An address or a key without a model is a UsageError: nothing is spent on a guess.
    """
    model, address = settings.of(ModelSettings).model, settings.of(Places).base_url
    if model:
        return model
    if address or key:
        found = "an address" if address else "a key in OPENAI_API_KEY"
        message = f"{found} but no model is given"
        raise UsageError(message, "name one with --model NAME, or take --model embedded")
    return EMBEDDED


@asynccontextmanager
async def open_model(run: Run, stage: str) -> AsyncIterator[OpenModel]:
    """The chat model of a run, every call recorded as the stage's; an embedded server lives as long."""
    settings = run.settings
    async with AsyncExitStack() as stack:
        ledger = stack.enter_context(run.open_ledger())
        chat = run.chat
        if chat is None:
            opening = open_chat(settings, run.key, ledger, run.admission)
            chat, name = await stack.enter_async_context(opening), resolved_model(settings, run.key)
        else:
            name = str(chat.identity["model"])
        recorded = RecordedChat(chat, ledger, _origin(run, stage, chat))
        model = Model(chat=recorded, profile=settings.of(ModelSettings).profile_for(name))
        yield OpenModel(model, recorded.counts)


def _origin(run: Run, stage: str, chat: ChatModel) -> Origin:
    asking = run.settings.of(Asking)
    return Origin(
        run=run.store.run_id,
        stage=stage,
        model=chat.identity["model"],
        prompt_price=asking.prompt_price,
        completion_price=asking.completion_price,
    )


@asynccontextmanager
async def open_chat(
    settings: Settings, key: str | None, ledger: Ledger | None = None, admission: Admission | None = None
) -> AsyncIterator[ChatModel]:
    """The chat model that the settings ask for, checked: reachable, the key accepted, the model there.

    With reply mode `auto` it is found out what the server can do, unless the ledger knows.
    """
    from ...providers.chat import OpenAIChat
    from .reply_mode import settled_reply_mode

    wanted, asking, address = settings.of(ModelSettings), settings.of(Asking), settings.of(Places).base_url
    admission = admission or Admission(asking.concurrency)
    async with AsyncExitStack() as stack:
        base_url, name, api_key = address, resolved_model(settings, key), key
        embedded = name == EMBEDDED
        if embedded:
            base_url, name = await _start_embedded(stack, wanted)
            api_key = None

        @cache
        def chat_in(mode: ReplyMode, admission: Admission | None = admission) -> OpenAIChat:
            chat = OpenAIChat(
                model=name,
                base_url=base_url,
                api_key=api_key,
                reply_mode=mode,
                max_tokens=wanted.max_tokens,
                timeout_s=asking.timeout_s,
                admission=admission,
            )
            stack.push_async_callback(chat.aclose)
            return chat

        mode: ReplyMode = "json_schema" if wanted.reply_mode == "auto" else wanted.reply_mode
        await chat_in(mode).check()
        if wanted.reply_mode == "auto" and not embedded:
            limits = limits_of(wanted.profile_for(name))
            # without the run's admission, which a refusal such as 404 would close
            mode = await settled_reply_mode(lambda mode: chat_in(mode, None), address or "", limits, ledger)
        yield chat_in(mode)


async def _start_embedded(stack: AsyncExitStack, settings: ModelSettings) -> tuple[str, str]:
    from ...providers.embedded import EmbeddedServer

    server = EmbeddedServer(Path(settings.gguf) if settings.gguf else None)
    # first, so that a server that is still loading ends as well
    stack.callback(server.__exit__, None, None, None)
    # loading takes a second, in which the event loop should not stand still
    await asyncio.to_thread(server.__enter__)
    return server.base_url, server.model
