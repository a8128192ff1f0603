"""What the prompts get out of a model: fitting replies, terms, losses, changes, verdicts on known faults.

    python bench/prompts.py --model embedded --pairs 2 --texts 2
    python bench/prompts.py --base-url http://localhost:8000/v1 --model my-model
    python bench/prompts.py --model gpt-4o-mini --json > old.json
    python bench/prompts.py --model gpt-4o-mini --against old.json

Pairs of real rows (prompt_cases.toml) go through the fusion graph; then both checks are asked about texts
with known faults. Every call is in a ledger, so that a run that was stopped goes on, and the same run again
costs nothing. The version of a template is its hash: to compare two, run the bench in a checkout of each and
give the results of one to the other with --against. Options and the key are those of `entp fuse`.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, cast

import click
from langchain_core.runnables import RunnableConfig

from entp.checkpoints import open_ledger
from entp.checkpoints.recorded_chat import RecordedChat
from entp.cli.options import SectionedCommand, json_option, key_option, read_key, setting_options
from entp.cli.output import TerminalProgress, emit, emit_json
from entp.graph.fusion import fusion_graph
from entp.graph.state import FusionInput, FusionSettings, FusionState
from entp.nodes.ask import ChatModel, Model, read_reply
from entp.nodes.templates import template_named
from entp.pipeline.run.crowd import for_each
from entp.pipeline.run.settings import EMBEDDED, RUN_PARTS, Asking, ModelSettings, Places, Settings
from entp.pipeline.run.wiring import open_chat, resolved_model
from entp.pipeline.stages.fuse import FuseSettings
from entp.providers.embedded import EmbeddedServer
from entp.records.calls import ChatReply, ChatRequest
from entp.records.conversation import last_content, to_json
from entp.records.errors import Declined, EntpError, ModelError, ReplyUnusable
from prompt_cases import Case, Pair, Text, cases_of, pairs, row_texts
from prompt_figures import Call, Came, Figures, Fused, accepted, figures, show
from prompt_verdicts import CHECKS, Verdict, verdict

LEDGER = "runs/prompts-calls.db"
# the system turn and the template; a re-ask goes on from there, two turns at a time
TURNS_AT_FIRST, TURNS_A_REASK = 2, 2


class Listening:
    """A chat model that notes of every call what its reply was worth."""

    def __init__(self, chat: ChatModel) -> None:
        self._chat = chat
        self.calls: list[Call] = []

    @property
    def identity(self) -> dict[str, Any]:
        """That of the model behind it."""
        return self._chat.identity

    async def complete(self, request: ChatRequest) -> ChatReply:
        """Pass the request on, and the reply or the error back."""
        reask = (len(request.messages) - TURNS_AT_FIRST) // TURNS_A_REASK
        try:
            reply = await self._chat.complete(request)
        except ModelError:
            self.calls.append(Call(request.operator, reask, "refused", 0, 0))
            raise
        usage = reply.usage
        came = _worth(reply, request.operator)
        self.calls.append(Call(request.operator, reask, came, usage.prompt_tokens, usage.completion_tokens))
        return reply


def _worth(reply: ChatReply, operator: str) -> Came:
    try:
        read_reply(reply, template_named(operator).reply, operator)
    except Declined:
        return "declined"
    except ReplyUnusable:
        return "cut off" if reply.finish_reason == "length" else "unfit"
    return "fits"


@dataclass(frozen=True)
class Bench:
    """A model, how it is asked, and what is measured of it."""

    chat: ChatModel
    settings: Settings
    name: str
    progress: TerminalProgress

    @property
    def _fuse(self) -> FuseSettings:
        return self.settings.of(FuseSettings)

    async def measure(self, num_pairs: int, num_texts: int) -> dict[str, Any]:
        """Fuse the first pairs, judge texts with faults, and give all figures."""
        heard = Listening(self.chat)
        model = Model(heard, self._fuse.profile_for(self.name))
        fusions = await self._fused(model, num_pairs)
        verdicts = await self._verdicts(model, accepted(fusions)[:num_texts], num_texts)
        about = {
            "model": self.chat.identity["model"],
            "profile": model.profile,
            "budget": self._fuse.budget,
            "without": self._fuse.fusion_ablate,
            "most tokens of a reply": self._fuse.max_tokens,
            "pairs": len(fusions),
        }
        return {"about": about, "figures": figures(heard.calls, fusions, verdicts, model.profile)}

    async def _fused(self, model: Model, number: int) -> list[Fused]:
        graph = fusion_graph(model, self._fuse.fusion_ablate).compile()
        given = {field.name: getattr(self._fuse, field.name) for field in fields(FusionSettings)}
        context = FusionSettings(**given)
        chosen = pairs()[:number]
        ended: dict[str, Fused] = {}
        with self.progress.task("fusing pairs", len(chosen)) as done:

            async def fuse(pair: Pair) -> None:
                start = FusionInput(fusion_id=pair.id, left=to_json(pair.left), right=to_json(pair.right))
                config = RunnableConfig(recursion_limit=context.recursion_limit)
                try:
                    state = await graph.ainvoke(start, config, context=context)
                    ended[pair.id] = Fused(pair, cast(FusionState, state))
                except ModelError as error:
                    if error.stops_run:
                        raise
                    ended[pair.id] = Fused(pair, None, f"{type(error).__name__}: {error}")
                done(1)

            await for_each(chosen, fuse, workers=self.settings.of(Asking).items_at_work)
        return [ended[pair.id] for pair in chosen]

    async def _verdicts(self, model: Model, own: list[Text], num_texts: int) -> list[Verdict]:
        rows = row_texts()
        answers = [last_content(text.turns, "assistant") for text in rows]
        questions: list[tuple[Case, str]] = []
        for texts in (rows[:num_texts], own):
            for at, text in enumerate(texts):
                unrelated = [answers[(at + step) % len(answers)] for step in (1, 2)]
                for case in cases_of(text, unrelated):
                    questions += [(case, operator) for operator in CHECKS[case.fault]]
        found: list[Verdict] = []
        with self.progress.task("judging texts with known faults", len(questions)) as done:

            async def judge(question: tuple[Case, str]) -> None:
                found.append(await verdict(*question, model))
                done(1)

            await for_each(questions, judge, workers=self.settings.of(Asking).items_at_work)
        return found


@asynccontextmanager
async def opened(
    settings: Settings, key: str | None, context: int
) -> AsyncIterator[tuple[Settings, str | None]]:
    """The settings with which to open the model; for the embedded one a server with a context of its own."""
    if resolved_model(settings, key) != EMBEDDED:
        yield settings, key
        return
    gguf = settings.of(ModelSettings).gguf
    with EmbeddedServer(Path(gguf) if gguf else None, context_tokens=context) as server:
        there = {"model": server.model, "base_url": server.base_url, "reply_mode": "json_schema"}
        yield settings.changed(there), None


async def measured(
    settings: Settings, key: str | None, num_pairs: int, num_texts: int, context: int
) -> dict[str, Any]:
    """All figures of the model that the settings ask for."""
    progress, name = TerminalProgress(), resolved_model(settings, key)
    path = Path(settings.of(Places).ledger or LEDGER)
    path.parent.mkdir(parents=True, exist_ok=True)
    with open_ledger(path) as ledger:
        async with (
            opened(settings, key, context) as (asked, key_asked),
            open_chat(asked, key_asked, ledger) as chat,
        ):
            recorded = RecordedChat(chat, ledger)
            found = await Bench(recorded, settings, name, progress).measure(num_pairs, num_texts)
            counts = recorded.counts
            progress.say(f"{counts.calls} calls made, {counts.answered} answered from {path}")
    return found


@click.command(cls=SectionedCommand, help=__doc__.splitlines()[0])
@click.option("--pairs", "num_pairs", type=click.IntRange(min=0), default=len(pairs()), show_default=True)
@click.option("--texts", "num_texts", type=click.IntRange(min=0), default=len(row_texts()), show_default=True)
@click.option("--context", default=8192, show_default=True, help="Tokens of the embedded model's context.")
@click.option(
    "--against", type=click.Path(exists=True, path_type=Path), help="Results of --json to print beside."
)
@json_option
@key_option
@setting_options((FuseSettings, Asking))
@setting_options((Places,), only=("base_url", "ledger"))
def main(
    num_pairs: int,
    num_texts: int,
    context: int,
    against: Path | None,
    as_json: bool,
    key_file: Path | None,
    **given: Any,
) -> None:
    """Measure, and print."""
    changes = {name: value for name, value in given.items() if value is not None}
    try:
        settings = Settings((*RUN_PARTS, FuseSettings)).changed(changes)
        key = read_key(key_file)
        if resolved_model(settings, key) == EMBEDDED and "concurrency" not in changes:
            # it answers one request after another
            settings = settings.changed({"concurrency": 1})
        found = asyncio.run(measured(settings, key, num_pairs, num_texts, context))
    except EntpError as error:
        sys.exit(f"prompts.py: {error}")
    if as_json:
        emit_json(found)
        return
    results = [("this", found)]
    if against is not None:
        results.append((against.stem, json.loads(against.read_text("utf-8"))))
    for label, result in results:
        emit(f"{label}: " + ", ".join(f"{name} {value}" for name, value in result["about"].items() if value))
    emit()
    show([(label, cast(Figures, result["figures"])) for label, result in results])


if __name__ == "__main__":
    main()
