"""What the fusion graph costs beside the model.

    python bench/graph.py [fusions]

The model answers at once, so that all that is measured is ours and LangGraph's. `plain` makes the same calls
with nothing but asyncio. Compare the ratios; milliseconds are CPU time on one core of the machine at hand.
"""

from __future__ import annotations

import asyncio
import json
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from entp.checkpoints import open_ledger, open_saver, thread_id
from entp.checkpoints.recorded_chat import RecordedChat
from entp.graph.fusion import fusion_graph
from entp.graph.state import FusionInput, FusionSettings
from entp.nodes.ask import Model
from entp.nodes.domain_analysis import analyse_domains
from entp.nodes.final_answer_check import check_final_answer
from entp.nodes.information_completeness import detect_completeness
from entp.nodes.merged_corpus_generation import merge_corpora
from entp.nodes.replies import turns_of
from entp.nodes.revision import RevisionFacts, revise
from entp.nodes.templates import writers_of
from entp.prompts.strategies import strategies_for
from entp.records.calls import ChatReply, ChatRequest
from entp.records.conversation import from_json

WORDS = "The leaves of plants take up light, water and air, and give back sugar and oxygen. " * 12
SETTINGS = FusionSettings()
IN_FLIGHT = 32
CONTEXT = next(template for template in writers_of(1) if template.name == "context")


def turns(name: str) -> list[dict[str, str]]:
    """A row of about two kilobytes."""
    return [
        {"role": "user", "content": f"{name}: {WORDS} How does it work?"},
        {"role": "assistant", "content": WORDS},
    ]


class InstantModel:
    """Every variant is revised once (missing terms) and then accepted: 2 + 3 * 4 calls a fusion."""

    identity = {"model": "instant"}

    def __init__(self) -> None:
        self.calls = 0

    async def complete(self, request: ChatRequest) -> ChatReply:
        """Answer by the operator; the second check of a variant is content."""
        self.calls += 1
        return ChatReply(text=json.dumps(self._answer(request)))

    def _answer(self, request: ChatRequest) -> dict[str, Any]:
        side = {"domain": "botany", "key_terms": ["chloroplast"], "matching_rule": "asked and answered"}
        merged = [{"user": f"{WORDS} What is a chloroplast?", "assistant": WORDS}]
        match request.operator:
            case "domain_analysis":
                similar = {"semantic_similarity": 0.9, "bridging_concepts": []}
                return {"left": side, "right": side, "relationship": "same-domain", **similar}
            case "merged_corpus_generation":
                return {"variants": [{"exchanges": merged}] * 3}
            case "information_completeness":
                first = request.attempt == 1
                question = {"exists": True, "type": "open", "needs_context": first}
                known = {"context_contain": None, "context_missing": "the light" if first else None}
                terms = {"included": ["chloroplast"], "missing": []}
                answer = {"direct": True, "needs_regeneration": False, "explanation": None}
                return {
                    "left_terms": terms,
                    "right_terms": terms,
                    "question": question | known,
                    "answer": answer,
                }
            case "final_answer_check":
                return {"direct_answer": "Sugar.", "information_to_remove": None}
            case _:
                return {"exchanges": merged}


async def plain(model: Model, number: int) -> None:
    """The same calls in the same order without a graph."""
    left, right = from_json(turns(f"left {number}")), from_json(turns(f"right {number}"))
    report = (await analyse_domains(left, right, model)).reply
    domains = report.model_dump()
    strategies = [strategy._asdict() for strategy in strategies_for(report.relationship)]
    merged = (await merge_corpora(left, right, domains, strategies, model)).reply
    terms = [list(report.left.key_terms), list(report.right.key_terms)]

    async def variant(at: int) -> None:
        draft = turns_of(merged.variants[at].exchanges)
        await detect_completeness(draft, *terms, model)
        facts = RevisionFacts(
            draft, left, right, domains, strategies[at], terms[0], [], {"left": "", "right": ""},
            "open", None, "the light", None,
        )  # fmt: skip
        revised = await revise(CONTEXT, facts, model, attempt=2)
        await detect_completeness(revised.turns, *terms, model, attempt=2)
        await check_final_answer(revised.turns, model)

    await asyncio.gather(*(variant(at) for at in range(3)))


async def timed(one: Callable[[int], Awaitable[Any]], fusions: int) -> float:
    """CPU milliseconds a fusion, IN_FLIGHT at a time, after a few to warm up."""
    for number in range(4):
        await one(-1 - number)
    slots = asyncio.Semaphore(IN_FLIGHT)

    async def held(number: int) -> None:
        async with slots:
            await one(number)

    started = time.process_time()
    await asyncio.gather(*(held(number) for number in range(fusions)))
    return (time.process_time() - started) / fusions * 1000


def pair(number: int) -> FusionInput:
    """The pair of one fusion."""
    return FusionInput(fusion_id=f"f{number}", left=turns(f"left {number}"), right=turns(f"right {number}"))


def config(number: int) -> dict[str, Any]:
    """The thread and the bound of one fusion."""
    thread = {"thread_id": thread_id(f"f{number}")}
    return {"configurable": thread, "recursion_limit": SETTINGS.recursion_limit}


async def with_saver(model: Model, fusions: int, durability: Any) -> tuple[float, float]:
    """CPU milliseconds and checkpoint bytes a fusion with the command line's saver."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "checkpoints.db"
        async with open_saver(path) as saver:
            graph = fusion_graph(model).compile(checkpointer=saver)

            async def one(number: int) -> None:
                await graph.ainvoke(pair(number), config(number), context=SETTINGS, durability=durability)

            spent = await timed(one, fusions)
        # the log is folded into the file when it is closed
        return spent, path.stat().st_size / (fusions + 4)


async def main(fusions: int) -> None:
    """Print a line for each way to run a fusion."""
    chat = InstantModel()
    model = Model(chat)
    bare = fusion_graph(model).compile()

    async def graph(number: int) -> None:
        await bare.ainvoke(pair(number), config(number), context=SETTINGS)

    base = await timed(lambda number: plain(model, number), fusions)
    print(f"{fusions} fusions of 14 calls, {IN_FLIGHT} in flight, CPU time")
    print(f"{'':34}{'ms':>8}{'a second':>10}{'of plain':>10}{'KiB':>8}")

    def line(name: str, spent: float, size: float = 0) -> None:
        kib = f"{size / 1024:8.1f}" if size else ""
        print(f"{name:34}{spent:8.1f}{1000 / spent:10.0f}{spent / base:9.1f}x{kib}")

    line("plain asyncio", base)
    line("graph, no saver", await timed(graph, fusions))
    for durability in ("exit", "async", "sync"):
        name = f"graph, our saver, {durability}" + (" (ours)" if durability == "exit" else "")
        line(name, *await with_saver(model, fusions, durability))
    with tempfile.TemporaryDirectory() as folder, open_ledger(Path(folder) / "calls.db") as ledger:
        recorded = Model(RecordedChat(chat, ledger))
        line("graph, our saver and ledger", *await with_saver(recorded, fusions, "exit"))


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else 200))
