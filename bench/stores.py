"""What a finished fusion takes on disk, in each file of the run folder and in each table.

    python bench/stores.py [fusions] [all|last|none ...]

Rows of examples/pool.jsonl are fused through the real graph, ledger, saver and run store. The model is made
up: it answers at once, with texts as long as a model's. What it writes keeps two of three sentences of what
it was shown and takes the others from elsewhere in the pool, so that texts are related as those of a real run
are. Files are measured after VACUUM, tables by SQLite's own count of pages (dbstat).
"""

from __future__ import annotations

import asyncio
import json
import random
import re
import sqlite3
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from hashlib import sha256
from pathlib import Path
from typing import Any

import entp.pipeline.stages.fusing as fuse_stage
from entp.checkpoints import open_ledger
from entp.checkpoints.recorded_chat import RecordedChat
from entp.nodes.ask import Model
from entp.pipeline.run.run_folder import Run
from entp.pipeline.run.wiring import OpenModel
from entp.pipeline.stages.load import load
from entp.pipeline.stages.order import open_run
from entp.records.calls import ChatReply, ChatRequest, Usage
from entp.records.conversation import to_json
from entp.records.pairs import Operand, Pair

POOL = Path(__file__).parent.parent / "examples" / "pool.jsonl"
FILES = ("run.db", "calls.db", "checkpoints.db")
# no figure of a fusion: the rows are there without any
OF_THE_POOL = {"rows", "sqlite_autoindex_rows_1", "sqlite_autoindex_rows_2"}


class WritingModel:
    """Answers each operator with a reply of real length, drawn by the hash of what it was asked."""

    identity = {"model": "made-up", "max_tokens": 4096, "reply_mode": "json_schema"}

    def __init__(self, sentences: list[str]) -> None:
        self._sentences = sentences

    async def complete(self, request: ChatRequest) -> ChatReply:
        """Answer from the data in the prompt, its lines of JSON."""
        prompt = request.messages[-1].content
        data = [json.loads(line) for line in prompt.splitlines() if line.startswith(("[", "{", '"'))]
        draw = random.Random(sha256(f"{request.operator} {request.attempt} {prompt}".encode()).digest())
        text = json.dumps(
            {"declined": None, **self._answer(request.operator, data, draw)}, ensure_ascii=False
        )
        usage = Usage(prompt_tokens=len(prompt) // 4, completion_tokens=len(text) // 4)
        return ChatReply(text=text, usage=usage, latency_s=draw.uniform(0.5, 20))

    def _answer(self, operator: str, data: list[Any], draw: random.Random) -> dict[str, Any]:
        match operator:
            case "domain_analysis":
                return self._domains(data, draw)
            case "merged_corpus_generation":
                return {"variants": [{"exchanges": [self._merged(data, draw)]} for _ in range(3)]}
            case "information_completeness":
                return self._completeness(data, draw)
            case "final_answer_check":
                redundant = self._sentence(draw) if draw.random() < 0.3 else None
                direct = self._sentence(draw) if draw.random() < 0.8 else None
                return {"direct_answer": direct, "information_to_remove": redundant}
            case "answer" | "missing_answer" | "redundant":
                return {"answer": self._rewritten(data[0][-1]["content"], draw)}
            case "question" | "terms_question":
                return {"exchanges": [self._merged(data[:2], draw)]}
            case _:
                user, assistant = (self._rewritten(turn["content"], draw) for turn in data[0][-2:])
                return {"exchanges": [{"user": user, "assistant": assistant}]}

    def _merged(self, pair: list[Any], draw: random.Random) -> dict[str, str]:
        return {
            role: self._rewritten(" ".join(turns[-2 + at]["content"] for turns in pair[:2]), draw)
            for at, role in enumerate(("user", "assistant"))
        }

    def _rewritten(self, text: str, draw: random.Random) -> str:
        kept = (part if draw.random() < 2 / 3 else self._sentence(draw) for part in sentences_of(text))
        return " ".join(kept)

    def _sentence(self, draw: random.Random) -> str:
        return draw.choice(self._sentences)

    def _domains(self, data: list[Any], draw: random.Random) -> dict[str, Any]:
        sides = {}
        for side, turns in zip(("left", "right"), data, strict=True):
            words = sorted(set(re.findall(r"\w{6,}", turns[-2]["content"])))[:5]
            rule = self._sentence(draw)
            sides[side] = {"domain": " ".join(words[:2]), "key_terms": words, "matching_rule": rule[:300]}
        relation = draw.choice(("same-domain", "related-domain", "unrelated-domain"))
        bridges = sides["left"]["key_terms"][:2]
        similar = {"semantic_similarity": round(draw.random(), 2), "bridging_concepts": bridges}
        return {**sides, **similar, "relationship": relation}

    def _completeness(self, data: list[Any], draw: random.Random) -> dict[str, Any]:
        _, left, right = data
        said = json.dumps(data[0], ensure_ascii=False)
        terms = {
            side: {"included": [t for t in of if t in said], "missing": [t for t in of if t not in said]}
            for side, of in (("left_terms", left), ("right_terms", right))
        }
        context, fault = draw.random() < 0.3, draw.random() < 0.3
        question = {
            "exists": draw.random() < 0.9,
            "type": "open",
            "needs_context": context,
            "context_contain": None,
            "context_missing": self._sentence(draw)[:300] if context else None,
        }
        explanation = self._sentence(draw)[:300] if fault else None
        answer = {"direct": True, "needs_regeneration": fault, "explanation": explanation}
        return {**terms, "question": question, "answer": answer}


def sentences_of(text: str) -> list[str]:
    """A text cut after full stops and their like."""
    return re.split(r"(?<=[.!?])\s+", text)


def plan(run: Run, fusions: int) -> None:
    """Pairs of rows of usual length, drawn at random."""
    ids = sorted(row.id for row in run.store.rows.all() if len(json.dumps(to_json(row.turns))) < 6000)
    draw = random.Random(0)
    pairs = [[Operand(kind="row", id=row_id) for row_id in draw.sample(ids, 2)] for _ in range(fusions)]
    run.store.pairs.replace(
        Pair(id=f"{at:016x}", position=at, kind="inter", cluster=None, depth=1, left=left, right=right)
        for at, (left, right) in enumerate(pairs)
    )


def let_write(sentences: list[str]) -> None:
    """Have the fuse stage ask the made-up model."""

    @asynccontextmanager
    async def opened(run: Run, stage: str) -> AsyncIterator[OpenModel]:
        with open_ledger(run.ledger_path) as ledger:
            chat = RecordedChat(WritingModel(sentences), ledger)
            yield OpenModel(Model(chat), chat.counts)

    fuse_stage.open_model = opened


def tables(path: Path, fusions: int) -> dict[str, float]:
    """Bytes a fusion of each table and index of a file, after VACUUM."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("VACUUM")
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        sizes = connection.execute("SELECT name, sum(pgsize) FROM dbstat GROUP BY name ORDER BY 2 DESC")
        return {name: size / fusions for name, size in sizes if name not in OF_THE_POOL}


async def measured(folder: Path, fusions: int, keep: str) -> None:
    """Fuse, and print what each file and table came to."""
    with open_run(folder, {"pool": (str(POOL),), "keep_checkpoints": keep}, create=True) as run:
        await load(run)
        texts = [turn.content for row in run.store.rows.all() for turn in row.turns]
        let_write([part for text in texts for part in sentences_of(text) if 20 < len(part) < 400])
        plan(run, fusions)
        started = time.process_time()
        result = await fuse_stage.fuse(run)
        spent = time.process_time() - started
    calls = result.findings.spent.calls / fusions
    print(
        f"keep {keep}: {fusions} fusions of {calls:.1f} calls, {spent / fusions * 1000:.0f} ms CPU a fusion"
    )
    total = 0.0
    for file in FILES:
        path = folder / file
        if path.exists():
            sizes = tables(path, fusions)
            total += sum(sizes.values())
            print(f"{file:40}{sum(sizes.values()) / 1024:8.1f} KiB a fusion")
            for name, size in sizes.items():
                if size >= 100:
                    print(f"    {name:36}{size / 1024:8.1f}")
    print(f"{'together':40}{total / 1024:8.1f}")


def main(fusions: int, keeps: list[str]) -> None:
    """Measure in folders that go away."""
    for keep in keeps:
        with tempfile.TemporaryDirectory() as folder:
            asyncio.run(measured(Path(folder), fusions, keep))


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1000, sys.argv[2:] or ["last", "none", "all"])
