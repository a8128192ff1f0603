"""OpenAI-compatible servers that answer by a function: one on loopback, and one that takes no network."""

from __future__ import annotations

import asyncio
import itertools
import json
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import entp.prompts

Turns = list[dict[str, str]]
Answers = Callable[[str, Turns], Any]

_OK = 200
_USAGE = {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15}
_names = itertools.count(1)


@cache
def _beginnings() -> dict[str, str]:
    """The text of each full template up to its first piece of data, and whose it is."""
    files = (Path(entp.prompts.__file__).parent / "full").glob("*.txt")
    return {file.read_text("utf-8").split("$")[0]: file.stem for file in files}


def _operator_of(body: dict[str, Any]) -> str:
    """Which operator sent a request; without a schema it shows in the prompt only."""
    asked = body.get("response_format", {}).get("json_schema")
    if asked:
        return str(asked["name"])
    prompt = body["messages"][1]["content"]
    return next((name for text, name in _beginnings().items() if prompt.startswith(text)), "reply_mode")


class _Server:
    """What both servers share: what they were asked, and what they say to it.

    `answers` gives a value to send as JSON, a text to send as it is, or the status of a refusal. Response
    formats in `refuses`, and schemas with a keyword in `refuses_keywords`, are refused with `refusal`, a
    status and its words; JSON that no schema binds is fenced.
    """

    base_url: str

    def __init__(self, answers: Answers) -> None:
        self.calls: list[str] = []
        self.received: list[tuple[str, str, Turns]] = []
        self.formats: list[dict[str, Any]] = []
        self.refuses: tuple[str, ...] = ()
        self.refuses_keywords: tuple[str, ...] = ()
        self.refusal = (400, "This response_format type is unavailable now")
        self.answers = answers

    def respond(self, body: dict[str, Any]) -> tuple[int, str]:
        """The status, and the reply's text or the words of the refusal."""
        asked_for = body.get("response_format", {})
        mode = asked_for.get("type", "plain")
        operator = _operator_of(body)
        self.calls.append(operator)
        self.received.append((mode, operator, body["messages"]))
        self.formats.append(asked_for)
        if mode in self.refuses or any(
            f'"{word}":' in json.dumps(asked_for) for word in self.refuses_keywords
        ):
            return self.refusal
        found = self.answers(operator, body["messages"])
        if isinstance(found, int):
            return found, f"scripted {found}"
        if isinstance(found, str):
            return _OK, found
        text = json.dumps(found)
        return _OK, text if mode == "json_schema" else f"Sure:\n```json\n{text}\n```\nAnything else?"


class _Listening(ThreadingHTTPServer):
    """A server to which a client that was killed in the midst of a request is no error."""

    def handle_error(self, request: Any, client_address: Any) -> None:
        if not isinstance(sys.exc_info()[1], ConnectionError | json.JSONDecodeError):
            super().handle_error(request, client_address)


class ModelServer(_Server):
    """A server on loopback, for clients in any process."""

    def __init__(self, answers: Answers, port: int = 0) -> None:
        super().__init__(answers)
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self._send(_OK, {"object": "list", "data": [{"id": "fake", "object": "model"}]})

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                status, text = outer.respond(body)
                self._send(status, _completion(text) if status == _OK else {"error": {"message": text}})

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
        # the interval is what a test waits for at its end
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True
        )
        self._thread.start()
        self.base_url = f"http://127.0.0.1:{self._server.server_address[1]}/v1"

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def _completion(text: str) -> dict[str, Any]:
    message = {"role": "assistant", "content": text}
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 0,
        "model": "fake",
        "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
        "usage": _USAGE,
    }


class _Client:
    """The part of langchain-openai's chat model that ENTP calls, answered without HTTP."""

    def __init__(self, server: _Server) -> None:
        self._server = server
        self.root_async_client = SimpleNamespace(models=SimpleNamespace(list=self._list))

    async def ainvoke(
        self, messages: Turns, config: Any = None, *, extra_body: dict[str, Any], **sampling: Any
    ) -> Any:
        import openai
        from langchain_core.messages import AIMessage

        await asyncio.sleep(0)  # the others go on while a request is under way
        status, text = self._server.respond({"messages": messages, **sampling, **extra_body})
        if status != _OK:
            response = SimpleNamespace(status_code=status, headers={}, request=None)
            raise openai.APIStatusError(text, response=response, body={"message": text})
        return AIMessage(
            text,
            usage_metadata={
                "input_tokens": _USAGE["prompt_tokens"],
                "output_tokens": _USAGE["completion_tokens"],
                "total_tokens": _USAGE["total_tokens"],
            },
            response_metadata={"finish_reason": "stop"},
        )

    async def _list(self) -> Any:
        return SimpleNamespace(data=[SimpleNamespace(id="fake")])


class ModelInProcess(_Server):
    """A server that is asked in its own process only, without HTTP; a whole run takes a third of the time.

    It stands in for langchain-openai's chat model at one address, so that all of ENTP is at work above it.
    """

    def __init__(self, answers: Answers) -> None:
        super().__init__(answers)
        self.base_url = f"http://in-process-{next(_names)}.invalid/v1"

    @contextmanager
    def at_its_address(self) -> Iterator[ModelInProcess]:
        """While this lasts, a client of this address reaches this server."""
        import langchain_openai

        over_http = langchain_openai.ChatOpenAI

        def client(**given: Any) -> Any:
            return _Client(self) if given["base_url"] == self.base_url else over_http(**given)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(langchain_openai, "ChatOpenAI", client)
            yield self
