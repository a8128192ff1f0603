"""A loopback model server whose answer is a function of the request."""

from __future__ import annotations

import json
import socket
import struct
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest


@dataclass(frozen=True)
class Received:
    """One request as it came: headers are lower-cased."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: Any


@dataclass(frozen=True)
class Answer:
    """What to send back. `cut` breaks the connection after half of the body."""

    body: Any = ""
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    content_type: str = "application/json"
    cut: bool = False


Script = Callable[[Received], Answer]


@dataclass
class ScriptedServer:
    base_url: str
    received: list[Received] = field(default_factory=list)

    def calls(self) -> list[Received]:
        """The chat completions among what was received."""
        return [request for request in self.received if request.path.endswith("/chat/completions")]


def completion(text: str | None = "{}", **changes: Any) -> Answer:
    """A chat completion as OpenAI's server writes it; `changes` go to its choice or its message."""
    message = {"role": "assistant", "content": text, "refusal": changes.pop("refusal", None)}
    choice = {"index": 0, "message": message, "finish_reason": "stop", "logprobs": None} | changes
    usage = {"prompt_tokens": 11, "completion_tokens": 7, "total_tokens": 18}
    return Answer(
        {"id": "c1", "object": "chat.completion", "model": "m", "choices": [choice], "usage": usage}
    )


def refused(status: int, message: str, code: str | None = None, **headers: str) -> Answer:
    """An error as OpenAI's server writes it."""
    error = {"message": message, "type": "some_error", "param": None, "code": code}
    return Answer({"error": error}, status, headers)


def models(*names: str) -> Answer:
    return Answer({"object": "list", "data": [{"id": name, "object": "model"} for name in names]})


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def do_POST(self) -> None:
        self._answer()

    def do_GET(self) -> None:
        self._answer()

    def log_message(self, format: str, *args: Any) -> None:
        """Keep the test's output clean."""

    def _answer(self) -> None:
        raw = self.rfile.read(int(self.headers.get("content-length", 0)))
        headers = {name.lower(): value for name, value in self.headers.items()}
        request = Received(self.command, self.path, headers, json.loads(raw) if raw else None)
        self.server.scripted.received.append(request)
        answer = self.server.script(request)
        body = answer.body if isinstance(answer.body, str) else json.dumps(answer.body)
        payload = body.encode()
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Type", answer.content_type)
        self.send_header("Content-Length", str(len(payload)))
        self.end_headers()
        if answer.cut:
            self.wfile.write(payload[: len(payload) // 2])
            self.wfile.flush()
            # linger of zero: closing sends a reset
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.close_connection = True
            return
        self.wfile.write(payload)


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, script: Script) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.script = script
        self.scripted = ScriptedServer(f"http://127.0.0.1:{self.server_port}/v1")


class Loopback:
    """Starts scripted servers and words their answers (tests cannot import from this file)."""

    answer = Answer
    completion = staticmethod(completion)
    refused = staticmethod(refused)
    models = staticmethod(models)

    def __init__(self, stack: ExitStack) -> None:
        self._stack = stack

    def start(self, script: Script) -> ScriptedServer:
        """A server that answers by `script` until the test ends."""
        return self._stack.enter_context(_running(script))


@contextmanager
def _running(script: Script) -> Iterator[ScriptedServer]:
    with _Server(script) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server.scripted
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture
def loopback() -> Iterator[Loopback]:
    with ExitStack() as stack:
        yield Loopback(stack)
