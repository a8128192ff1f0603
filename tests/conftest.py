"""What all tests share: the fake model, and that no test meets another's environment."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from hashlib import sha256
from typing import Any

import pytest
from hypothesis import settings

from entp.records.calls import ChatReply, ChatRequest, Usage
from model_server import ModelInProcess, ModelServer

Turns = list[dict[str, str]]

# machines differ and are busy: how long an example takes says nothing about the code
settings.register_profile("entp", deadline=None)
settings.load_profile("entp")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--update-golden", action="store_true", help="rewrite the golden files")


def draw(sides: int, *parts: Any) -> int:
    """A number below `sides` that depends on the parts only."""
    return int(sha256(json.dumps(parts).encode()).hexdigest(), 16) % sides


def data_of(messages: Turns) -> list[Any]:
    """The pieces of data in a prompt, in order: its lines of JSON."""
    found = []
    for line in messages[1]["content"].splitlines():
        if line[:1] in '[{"':
            try:
                found.append(json.loads(line))
            except json.JSONDecodeError:
                continue
    return found


def said(turns: Turns, role: str) -> str:
    return next(turn["content"] for turn in reversed(turns) if turn["role"] == role)


def answer(operator: str, messages: Turns) -> dict[str, Any]:
    """The fake model: for each operator a reply that is a function of what it was shown."""
    data = data_of(messages)
    match operator:
        case "reply_mode":
            return {"boils": True}
        case "rating" | "rating_ds2":
            overall = 1 + draw(10, data)
            return {"rarity": 5, "complexity": 5, "informativeness": 5, "overall": overall}
        case "rating_again":
            overall = 1 + draw(10, data)
            overall = min(10, overall + draw(2, "again", data))
            return {"informativeness": 5, "complexity": 5, "rarity": 5, "overall": overall}
        case "domain_analysis":
            return {
                "left": _domain(data[0]),
                "right": _domain(data[1]),
                "semantic_similarity": 0.5,
                "bridging_concepts": ["learning"],
                "relationship": ("same-domain", "related-domain", "unrelated-domain")[draw(3, data)],
            }
        case "merged_corpus_generation":
            return {"variants": [_merged(data[0], data[1], i) for i in range(3)]}
        case "question" | "terms_question":
            return _merged(data[0], data[1], 3)
        case "information_completeness":
            return _completeness(data)
        case "final_answer_check":
            redundant = draw(3, "redundant", data) == 0
            direct = draw(5, "direct", data) > 0
            return {
                "direct_answer": said(data[0], "assistant") if direct else None,
                "information_to_remove": "the last sentence" if redundant else None,
            }
        case "answer" | "missing_answer" | "redundant":
            return {"answer": f"In short: {draw(1000, data)}."}
        case _:
            question, reply = said(data[0], "user"), said(data[0], "assistant")
            return {"exchanges": [{"user": f"{question} (revised)", "assistant": f"{reply} Revised."}]}


def _domain(turns: Turns) -> dict[str, Any]:
    words = sorted({word.strip(".,?!") for word in said(turns, "user").split() if len(word) > 6})
    return {"domain": "studies", "key_terms": words[:3], "matching_rule": "asked and answered"}


def _merged(left: Turns, right: Turns, number: int) -> dict[str, Any]:
    user = f"Variant {number}. {said(left, 'user')} {said(right, 'user')}"
    return {
        "exchanges": [{"user": user, "assistant": f"{said(left, 'assistant')} {said(right, 'assistant')}"}]
    }


def _completeness(data: list[Any]) -> dict[str, Any]:
    terms = [value for value in data if isinstance(value, list) and all(isinstance(v, str) for v in value)]
    left, right = (*terms, [], [])[:2]
    lacks = {name: draw(3, name, data) == 0 for name in ("term", "context", "answer")}
    return {
        "left_terms": {"included": [] if lacks["term"] else left, "missing": left if lacks["term"] else []},
        "right_terms": {"included": right, "missing": []},
        "question": {
            "exists": draw(8, "question", data) > 0,
            "type": "open",
            "needs_context": lacks["context"],
            "context_contain": "the subject",
            "context_missing": "the place" if lacks["context"] else None,
        },
        "answer": {
            "direct": True,
            "needs_regeneration": lacks["answer"],
            "explanation": "it wanders" if lacks["answer"] else None,
        },
    }


class FakeChat:
    """A chat model that answers by a function of operator and messages, and remembers what it was asked."""

    identity = {"model": "fake"}
    default = staticmethod(answer)

    def __init__(self, answers: Callable[[str, Turns], Any] = answer) -> None:
        self._answers = answers
        self.asked: list[ChatRequest] = []

    async def complete(self, request: ChatRequest) -> ChatReply:
        self.asked.append(request)
        found = self._answers(request.operator, [turn.model_dump() for turn in request.messages])
        if isinstance(found, ChatReply):
            return found
        text = found if isinstance(found, str) else json.dumps(found)
        return ChatReply(text=text, usage=Usage(prompt_tokens=10, completion_tokens=len(text) // 4))


@pytest.fixture
def fake_chat() -> type[FakeChat]:
    return FakeChat


@pytest.fixture(scope="session")
def fake_answers() -> Callable[[str, Turns], Any]:
    return answer


@pytest.fixture
def model_server(request: pytest.FixtureRequest) -> Iterator[ModelServer | ModelInProcess]:
    """An OpenAI-compatible server that answers as the fake model does, without HTTP.

    Under the mark `over_http` it listens on loopback, for tests of HTTP or of other processes.
    """
    if request.node.get_closest_marker("over_http"):
        server = ModelServer(answer)
        yield server
        server.stop()
    else:
        with ModelInProcess(answer).at_its_address() as inside:
            yield inside


@pytest.fixture(scope="session")
def lasting_server() -> Iterator[ModelInProcess]:
    """A server for runs that several tests start from; it always answers as the fake model does."""
    with ModelInProcess(answer).at_its_address() as server:
        yield server


@pytest.fixture(autouse=True)
def _own_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No key, no tracing and no hub from whoever runs the tests."""
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL", "OPENAI_ORG_ID", "LANGSMITH_TRACING"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
