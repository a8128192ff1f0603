"""The server that LangGraph Studio talks to, over the graphs and the threads of a run."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from ...checkpoints import CHECKPOINTS_FILE, saved_threads, thread_id
from ...records.errors import EntpError, UsageError
from ..stages.order import look_at_run

MODULE = "entp.pipeline.views.studio"
CONFIG: dict[str, Any] = {
    "dependencies": ["."],
    "graphs": {name: f"{MODULE}:{name}" for name in ("fusion", "variant")},
    "checkpointer": {"path": "entp.pipeline.views.studio_saver.open_run_saver"},
}
# more than anybody looks through
THREADS = 200
START_SECONDS = 120.0


@contextmanager
def studio_server(
    run: Path | None, port: int, environment: Mapping[str, str], *, browser: bool
) -> Iterator[subprocess.Popen[bytes]]:
    """Run `langgraph dev` on loopback until the end of the block; it is up when the block begins.

    With a run its finished fusions are threads, looked at with their states. `environment` is added to this
    process's. What the server keeps for itself goes to a folder that is removed. Raises UsageError where the
    extra `studio` is not installed, EntpError where the server does not start.
    """
    if importlib.util.find_spec("langgraph_api") is None:
        message = "LangGraph's server is not installed"
        raise UsageError(message, "install it with pip install 'entp[studio]'")
    with TemporaryDirectory(prefix="entp-studio-") as folder:
        (Path(folder) / "langgraph.json").write_text(json.dumps(CONFIG), "utf-8")
        # the server wants a project to install from its folder
        (Path(folder) / "pyproject.toml").touch()
        command = [sys.executable, "-m", "langgraph_cli", "dev", "--no-reload", "--port", str(port)]
        server = subprocess.Popen(
            [*command, *([] if browser else ["--no-browser"])],
            cwd=folder,
            env={**os.environ, **_environment(run), **environment},
        )
        try:
            _wait(server, port)
            if run is not None:
                _name_threads(run, port)
            yield server
        finally:
            server.terminate()
            server.wait()


def _environment(run: Path | None) -> dict[str, str]:
    quiet = {"LANGGRAPH_CLI_NO_ANALYTICS": "1", "LANGSMITH_TRACING": "false"}
    return quiet | ({"ENTP_RUN": str(run.resolve())} if run else {})


def _wait(server: subprocess.Popen[bytes], port: int) -> None:
    """Wait until the server answers."""
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and server.poll() is None:
        try:
            _call(port, "/ok")
        except (urllib.error.URLError, ConnectionError):
            time.sleep(0.2)
        else:
            return
    message = f"LangGraph's server did not start on port {port}"
    raise EntpError(message, "see what it printed above; another port can be given with --port")


def _name_threads(run: Path, port: int) -> None:
    """Tell the server of the run's fusions and forks: it lists no thread that it has not been told of.

    What has left no checkpoint is left out, since there would be nothing to open.
    """
    with look_at_run(run) as opened:
        store = opened.store
        found = [(fork.id, "variant") for fork in store.forks.listed()]
        found += [(fusion.id, "fusion") for fusion in store.fusions.all() if fusion.status == "done"]
    kept = saved_threads(run / CHECKPOINTS_FILE)
    there = [named for named in found if thread_id(named[0]) in kept]
    for name, graph in there[:THREADS]:
        told = {
            "thread_id": thread_id(name),
            "if_exists": "do_nothing",
            "metadata": {"graph_id": graph, "fusion": name},
        }
        _call(port, "/threads", told)


# langgraph_sdk's client would be two more dependencies for two requests, and keeps trying for seven seconds
# to reach a server that has ended
def _call(port: int, path: str, body: Any = None) -> Any:
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}{path}",
        data=None if body is None else json.dumps(body).encode(),
        headers={"Content-Type": "application/json"},
    )
    # a proxy of the environment has no business with loopback
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(request, timeout=30) as answer:
        return json.load(answer)
