"""What recording a call costs beside the call.

    python bench/ledger.py [calls]

A model that answers at once is asked through the ledger, 64 requests at a time: first all are misses, looked
up, answered and recorded; then all are found. The same loop without a ledger is taken off. A request is as a
fusion's: one system turn that all share, a template with lines of data of a few KiB, a reply of 1 to 2 KiB; a
draft that has been checked is revised. As `nodes.ask` does, the loop wants the key of each call for itself.
CPU time is that of all threads.
"""

from __future__ import annotations

import asyncio
import json
import random
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

from entp.checkpoints import open_ledger
from entp.checkpoints.recorded_chat import Chat, RecordedChat
from entp.nodes.replies import CompletenessReport, Exchange, MergedCorpora, MergedVariant, Reply, turns_of
from entp.nodes.schema import reply_schema
from entp.prompts.inputs import (
    ContextInput,
    InformationCompletenessInput,
    MergedCorpusInput,
    TemplateInput,
)
from entp.prompts.render import render
from entp.records.calls import ChatReply, ChatRequest, Usage, call_key
from entp.records.conversation import Conversation, Turn

IN_FLIGHT = 64
REPEATS = 5
WORDS = (Path(__file__).parent.parent / "examples" / "pool.jsonl").read_text("utf-8").split()


class InstantModel:
    """Answers at once with 1 to 2 KiB that depend on the request."""

    identity = {"model": "instant", "max_tokens": 4096, "reply_mode": "json_schema"}

    async def complete(self, request: ChatRequest) -> ChatReply:
        """A merged conversation in words of the pool."""
        draw = random.Random(request.messages[1].content)
        merged = {"user": text(draw, 400), "assistant": text(draw, draw.randint(600, 1600))}
        reply = json.dumps({"declined": None, "exchanges": [merged]}, ensure_ascii=False)
        return ChatReply(text=reply, usage=Usage(prompt_tokens=1200, completion_tokens=400), latency_s=1.5)


class Cost(NamedTuple):
    """What a pass over all requests took."""

    cpu_s: float
    wall_s: float


def text(draw: random.Random, size: int) -> str:
    """Words of the pool in a row, `size` characters of them."""
    start = draw.randrange(len(WORDS) - size)
    return " ".join(WORDS[start : start + size])[:size]


def conversation(draw: random.Random) -> Conversation:
    """Two turns of about a kilobyte."""
    return (
        Turn(role="user", content=text(draw, draw.randint(200, 500))),
        Turn(role="assistant", content=text(draw, draw.randint(300, 900))),
    )


async def requests(number: int) -> list[ChatRequest]:
    """A merge, then checks and revisions by turns, ten calls about the same pair."""
    made: list[ChatRequest] = []
    for at in range(number):
        draw = random.Random(at // 10)
        left, right = conversation(draw), conversation(draw)
        terms = [text(draw, 12) for _ in range(4)]
        if at % 10 == 0:
            domains = {"left": text(draw, 20), "right": text(draw, 20), "relationship": "related-domain"}
            strategies = [{"name": text(draw, 16), "definition": text(draw, 120)} for _ in range(3)]
            request = asking(MergedCorpusInput(left, right, domains, strategies), MergedCorpora)
            draft = await rewritten(request)
        elif at % 2:
            request = asking(InformationCompletenessInput(draft, terms[:2], terms[2:]), CompletenessReport)
        else:
            rules, lacking = {"left": text(draw, 150), "right": text(draw, 150)}, text(draw, 200)
            request = asking(ContextInput(draft, terms, rules, "open", None, lacking), MergedVariant)
            draft = await rewritten(request)
        made.append(request)
    return made


async def rewritten(request: ChatRequest) -> Conversation:
    """The conversation in the reply to a request."""
    (exchange,) = json.loads((await InstantModel().complete(request)).text)["exchanges"]
    return turns_of([Exchange(**exchange)])


def asking(given: TemplateInput, reply: type[Reply]) -> ChatRequest:
    """The request that `nodes.ask` makes of it."""
    prompt = render(given, "full")
    return ChatRequest(
        operator=prompt.template,
        template_hash=prompt.template_hash,
        messages=prompt.messages,
        temperature=0.2,
        reply_schema=reply_schema(reply),
    )


async def asked(chat: Chat, all_of_them: list[ChatRequest]) -> Cost:
    """Ask for all of them, IN_FLIGHT at a time."""
    # copies, since a request keeps what it was hashed from
    waiting = (request.model_copy() for request in all_of_them)

    async def caller() -> None:
        for request in waiting:
            await chat.complete(request)
            call_key(chat.identity, request)

    wall, cpu = time.perf_counter(), time.process_time()
    await asyncio.gather(*(caller() for _ in range(IN_FLIGHT)))
    return Cost(time.process_time() - cpu, time.perf_counter() - wall)


async def main(calls: int) -> None:
    """Print a line for each pass, the least disturbed of REPEATS."""
    made = await requests(calls)
    model = InstantModel()
    bare, new, found = [], [], []
    for _ in range(REPEATS):
        bare.append(await asked(model, made))
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "calls.db"
            for costs in (new, found):
                with open_ledger(path) as ledger:
                    costs.append(await asked(RecordedChat(model, ledger), made))
            octets = path.stat().st_size / calls
    sizes = sum(len(turn.content) for request in made for turn in request.messages) / calls
    print(
        f"{calls} calls, {IN_FLIGHT} in flight, prompts of {sizes:.0f} characters, {octets:.0f} bytes a call"
    )
    print(f"{'':28}{'CPU ms':>8}{'calls/s':>9}   (a call; CPU above no ledger)")
    for name, costs in (("looked up and recorded", new), ("found", found)):
        above = (min(costs).cpu_s - min(bare).cpu_s) / calls * 1000
        print(f"{name:28}{above:8.3f}{calls / min(costs).wall_s:9.0f}")


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else 5000))
