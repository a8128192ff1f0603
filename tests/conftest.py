"""What all tests share: the fake model, and that no test meets another's environment."""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Callable, Iterator
from functools import cache
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

import entp.prompts
from entp.records.calls import ChatReply, ChatRequest, Usage

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
        case "rating":
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


@cache
def beginnings() -> dict[str, str]:
    """The text of each full template up to its first piece of data, and whose it is."""
    files = (Path(entp.prompts.__file__).parent / "full").glob("*.txt")
    return {file.read_text("utf-8").split("$")[0]: file.stem for file in files}


def operator_of(body: dict[str, Any]) -> str:
    """Which operator sent a request; without a schema it shows in the prompt only."""
    asked = body.get("response_format", {}).get("json_schema")
    if asked:
        return str(asked["name"])
    prompt = body["messages"][1]["content"]
    return next((name for text, name in beginnings().items() if prompt.startswith(text)), "reply_mode")


class _Listening(ThreadingHTTPServer):
    """A server to which a client that was killed in the midst of a request is no error."""

    def handle_error(self, request: Any, client_address: Any) -> None:
        if not isinstance(sys.exc_info()[1], ConnectionError | json.JSONDecodeError):
            super().handle_error(request, client_address)


class ModelServer:
    """An OpenAI-compatible server on loopback that answers as the fake model does.

    It refuses the response formats in `refuses`, and fences JSON that it is not bound to by a schema.
    """

    def __init__(self, port: int = 0) -> None:
        self.calls: list[str] = []
        self.received: list[tuple[str, str, Turns]] = []
        self.refuses: tuple[str, ...] = ()
        self.answers: Callable[[str, Turns], Any] = answer
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self._send(200, {"object": "list", "data": [{"id": "fake", "object": "model"}]})

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                mode = body.get("response_format", {}).get("type", "plain")
                operator = operator_of(body)
                outer.calls.append(operator)
                outer.received.append((mode, operator, body["messages"]))
                if mode in outer.refuses:
                    message = "This response_format type is unavailable now"
                    self._send(400, {"error": {"message": message}})
                    return
                found = outer.answers(operator, body["messages"])
                if isinstance(found, int):
                    self._send(found, {"error": {"message": f"scripted {found}"}})
                    return
                text = found if isinstance(found, str) else json.dumps(found)
                if mode != "json_schema" and not isinstance(found, str):
                    text = f"Sure:\n```json\n{text}\n```\nAnything else?"
                message = {"role": "assistant", "content": text}
                self._send(
                    200,
                    {
                        "id": "chatcmpl-1",
                        "object": "chat.completion",
                        "created": 0,
                        "model": "fake",
                        "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
                        "usage": {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15},
                    },
                )

            def _send(self, code: int, value: dict[str, Any]) -> None:
                content = json.dumps(value).encode()
                self.send_response(code)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, format: str, *args: object) -> None:
                """Nothing: the test says what it expects."""

        self._server = _Listening(("127.0.0.1", port), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()
        self.base_url = f"http://127.0.0.1:{self._server.server_address[1]}/v1"

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@pytest.fixture(scope="session")
def fake_answers() -> Callable[[str, Turns], Any]:
    return answer


@pytest.fixture(scope="session")
def model_server_class() -> type[ModelServer]:
    return ModelServer


@pytest.fixture
def model_server() -> Iterator[ModelServer]:
    server = ModelServer()
    yield server
    server.stop()


@pytest.fixture(scope="session")
def lasting_server() -> Iterator[ModelServer]:
    """A server for runs that several tests start from; it always answers as the fake model does."""
    server = ModelServer()
    yield server
    server.stop()


@pytest.fixture(autouse=True)
def _own_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No key, no tracing and no hub from whoever runs the tests."""
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL", "OPENAI_ORG_ID", "LANGSMITH_TRACING"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
