"""The process of the embedded model server: llama.cpp's own OpenAI-compatible server, until stdin closes.

`embedded.py` runs this file by its path, so it imports nothing of this package. The server has a process of
its own because it cannot be stopped inside another one: with a request in flight its shutdown waits for ever,
and a fault in native code would take the run along.

Usage: llama_server.py GGUF NAME CONTEXT_TOKENS THREADS
Writes one JSON line, {"address": ...} or {"error": ...}.
"""

from __future__ import annotations

import http.client
import json
import os
import signal
import sys
import time
from typing import Any
from urllib.parse import urlsplit

_PROMPT_CACHE_MIB = 256
_LOOP_PENALTY, _LOOP_TOKENS = 0.3, 48
_SILENT = -1
_POLL_S = 0.05


def _start(gguf: str, name: str, context_tokens: int, threads: int) -> Any:
    import xllamacpp

    params = xllamacpp.CommonParams()
    params.model.path = gguf
    params.model_alias = {name}
    params.n_ctx = context_tokens
    params.cpuparams.n_threads = threads
    params.cpuparams_batch.n_threads = threads
    # One request at a time: the arithmetic fills the threads anyway, and four slots took as much CPU a call
    # and 200 MB more. What pays is the prompt cache, which keeps the fixed beginnings of prompts: 5.1 -> 4.2
    # CPU seconds a call with four operators in turn.
    params.n_parallel = 1
    params.cache_ram_mib = _PROMPT_CACHE_MIB
    # A model of this size falls into loops. A mild penalty over a sentence or two breaks most of them; over a
    # whole reply it would make the model avoid the words that it should copy.
    params.sampling.penalty_freq = _LOOP_PENALTY
    params.sampling.penalty_last_n = _LOOP_TOKENS
    params.port = 0
    params.ui = False
    params.endpoint_slots = False
    # no web page that the user happens to visit may ask the model
    params.cors_origins = "http://127.0.0.1"
    params.verbosity = _SILENT
    return xllamacpp.Server(params)


def _wait_until_ready(address: str) -> None:
    """Ask until the answer is 200: llama.cpp answers 503 while it loads. The parent sets the deadline."""
    while True:
        connection = http.client.HTTPConnection(urlsplit(address).netloc)
        connection.request("GET", "/health")
        status = connection.getresponse().status
        connection.close()
        if status == http.HTTPStatus.OK:
            return
        time.sleep(_POLL_S)


def _serve(gguf: str, name: str, context_tokens: str, threads: str) -> None:
    # a service manager stops all processes at once; the run finishes its open calls before it stops this one
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    # read when the library loads: waiting threads must not spin, which on two busy cores is ten times slower
    os.environ["OMP_WAIT_POLICY"] = "PASSIVE"
    report = os.fdopen(os.dup(sys.stdout.fileno()), "w")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # whatever native code prints is no report
    try:
        server = _start(gguf, name, int(context_tokens), int(threads))
        _wait_until_ready(server.listening_address)
        said = {"address": server.listening_address}
    except Exception as error:  # whatever it is, the parent shows it as one line
        said = {"error": str(error)}
    report.write(json.dumps(said) + "\n")
    report.flush()
    if "address" in said:
        sys.stdin.read()  # ends when the parent closes the pipe, or dies
    # without the server's destructor, which would wait for requests in flight
    os._exit(0)


if __name__ == "__main__":
    _serve(*sys.argv[1:])
