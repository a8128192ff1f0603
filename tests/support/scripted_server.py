"""A model server on loopback that sends, byte for byte, what a test wants: replies, errors, or worse."""

from __future__ import annotations

import json
import socket
import struct
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Literal

DRIP_S = 0.02


@dataclass(frozen=True)
class Sent:
    """What goes back over the wire.

    `manner`: `whole`; `reset` breaks the connection after half of the body; `silent` sends nothing at all;
    `drip` sends the head and then a space now and then, for as long as the client listens.
    """

    body: bytes = b""
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    content_type: str = "application/json"
    manner: Literal["whole", "reset", "silent", "drip"] = "whole"


def as_json(value: Any, status: int = 200, **more: Any) -> Sent:
    return Sent(json.dumps(value).encode(), status, **more)


def completion(content: Any, *, usage: Any = None, message: Any = None, **choice: Any) -> Sent:
    """A chat completion; a `content` that is no text is written as JSON, `choice` changes the choice."""
    text = content if isinstance(content, str | None) else json.dumps(content)
    said = {"role": "assistant", "content": text, **(message or {})}
    spent = {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15}
    return as_json(
        {
            "id": "chatcmpl-1",
            "object": "chat.completion",
            "created": 0,
            "model": "fake",
            "choices": [{"index": 0, "message": said, "finish_reason": "stop", **choice}],
            "usage": usage or spent,
        }
    )


def failure(status: int, message: str = "because of this", code: str | None = None, **headers: str) -> Sent:
    """An error as OpenAI's server words it; `Retry_After` becomes the header of that name."""
    error = {"message": message, "type": "some_error", "param": None, "code": code}
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return as_json({"error": error}, status, headers=named)


def _listed(models: Sequence[str] | Sent | None) -> Sent:
    if isinstance(models, Sent):
        return models
    if models is None:
        return failure(404, "no such page")
    return as_json({"object": "list", "data": [{"id": name, "object": "model"} for name in models]})


class _Server(ThreadingHTTPServer):
    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of a client that has gone: that is what some tests are about."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)


class ScriptedServer:
    """Answers each question as `answers(operator, messages)` says: a Sent, or the JSON of a good reply.

    `asked` holds operator and messages, as JSON, of each question in order; `headers` and `paths` are those
    of all requests. `models` is the list of models, a Sent, or None where the server keeps none. Use it as a
    context manager.
    """

    def __init__(self, answers: Callable[[str, list[dict[str, str]]], Any]) -> None:
        self.answers = answers
        self.models: Sequence[str] | Sent | None = ("fake",)
        self.asked: list[tuple[str, str]] = []
        self.headers: list[dict[str, str]] = []
        self.paths: list[str] = []
        self._over = threading.Event()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                outer._note(self)
                self._send(_listed(outer.models))

            def do_POST(self) -> None:
                outer._note(self)
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                operator = body.get("response_format", {}).get("json_schema", {}).get("name", "unknown")
                outer.asked.append((operator, json.dumps(body["messages"])))
                found = outer.answers(operator, body["messages"])
                self._send(found if isinstance(found, Sent) else completion(found))

            def _send(self, sent: Sent) -> None:
                if sent.manner == "silent":
                    outer._over.wait()
                    return
                self.send_response(sent.status)
                for name, value in sent.headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Type", sent.content_type)
                length = 1_000_000 if sent.manner == "drip" else len(sent.body)
                self.send_header("Content-Length", str(length))
                self.end_headers()
                if sent.manner == "drip":
                    self._drip()
                elif sent.manner == "reset":
                    self.wfile.write(sent.body[: len(sent.body) // 2])
                    # linger of zero: closing sends a reset
                    linger = struct.pack("ii", 1, 0)
                    self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
                else:
                    self.wfile.write(sent.body)

            def _drip(self) -> None:
                try:
                    while not outer._over.wait(DRIP_S):
                        self.wfile.write(b" ")
                except OSError:
                    """The client has gone."""

            def log_message(self, format: str, *args: object) -> None:
                """Nothing: the test says what it expects."""

        self._server = _Server(("127.0.0.1", 0), Handler)
        self.address = f"127.0.0.1:{self._server.server_address[1]}"
        self.base_url = f"http://{self.address}/v1"

    def __enter__(self) -> ScriptedServer:
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def _note(self, request: BaseHTTPRequestHandler) -> None:
        self.headers.append({name.lower(): value for name, value in request.headers.items()})
        self.paths.append(request.path)
