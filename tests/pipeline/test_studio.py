"""LangGraph's own development server, started for real on loopback, with the graphs and a run's threads."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from entp.checkpoints import thread_id
from entp.nodes.templates import CYCLES, writers_of
from entp.pipeline.replay.fork import Changes, Point
from entp.pipeline.replay.travel import run_on
from entp.pipeline.stages.order import look_at_run, open_run
from entp.pipeline.views.studio_server import CONFIG, _wait
from tables import first, query

ROOT = Path(__file__).parent.parent.parent
GRAPHS = {"fusion", "variant"}
TEMPLATES = {template.name for cycle in CYCLES for template in writers_of(cycle)}


def free_port():
    with socket.socket() as opened:
        opened.bind(("127.0.0.1", 0))
        return opened.getsockname()[1]


class Studio:
    def __init__(self, port):
        self._url = f"http://127.0.0.1:{port}"

    def call(self, path, body=None):
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(
            self._url + path, data=data, headers={"Content-Type": "application/json"}
        )
        with urllib.request.urlopen(request, timeout=120) as answer:
            return json.load(answer)

    def assistant(self, name):
        found = self.call("/assistants/search", {"graph_id": name})
        return found[0]["assistant_id"]


@pytest.fixture
def studio(run_whole, tmp_path, model_server):
    """`entp studio` over a run of two pairs and a fork, up and with its threads told."""
    run_whole(tmp_path / "run", pairs=2)
    with open_run(tmp_path / "run") as run:
        fusion = first(run.folder, "SELECT id FROM fusions ORDER BY id")["id"]
        asyncio.run(run_on(run, fusion, Point(0, 1, 1), Changes(temperature=0.9), live=True))
    port = free_port()
    words = ["studio", "--run", tmp_path / "run", "--fusion", fusion, "--port", port, "--no-browser"]
    command = [sys.executable, "-c", "from entp.cli.main import main; main()", *map(str, words)]
    log = (tmp_path / "server.log").open("wb")
    environment = {name: value for name, value in os.environ.items() if not name.startswith("LANG")}
    server = subprocess.Popen(command, stdout=log, stderr=log, env=environment, start_new_session=True)
    try:
        _wait(server, port)
        yield Studio(port)
    finally:
        os.killpg(server.pid, signal.SIGINT)
        server.wait(30)
        log.close()


def test_the_repository_names_the_same_graphs_as_the_command():
    assert json.loads((ROOT / "langgraph.json").read_text("utf-8")) == CONFIG


@pytest.mark.over_http
def test_studio_from_the_drawing_to_the_history(studio, tmp_path, model_server):
    """One server for all of it: starting takes most of the time."""
    loaded = {assistant["graph_id"] for assistant in studio.call("/assistants/search", {})}
    assert loaded == GRAPHS

    nodes = {node["id"] for node in studio.call("/assistants/fusion/graph?xray=true")["nodes"]}
    assert {f"variant:{name}" for name in TEMPLATES} <= nodes
    assert not any("error_handler" in node for node in nodes)

    schemas = studio.call(f"/assistants/{studio.assistant('fusion')}/schemas")
    form = schemas["input_schema"]["properties"]
    assert set(form) == {"fusion_id", "left", "right"}
    assert [turn["role"] for turn in form["left"]["default"]] == ["user", "assistant"]
    settings = schemas["context_schema"]["properties"]
    assert set(settings) == {"model", "seed", "tie", "budget", "temperature", "domain_temperature"}
    assert settings["model"]["default"] == "fake"

    pair = {name: field["default"] for name, field in form.items()}
    thread = studio.call("/threads", {})["thread_id"]
    asked = {"assistant_id": "fusion", "input": pair, "context": {"budget": 1}}
    ended = studio.call(f"/threads/{thread}/runs/wait", asked)
    assert set(ended["variants"]) == {"0", "1", "2"}
    for outcome in ended["variants"].values():
        assert outcome["status"] == "fused"
        assert len(outcome["attempts"]) == 2
    state = studio.call(f"/threads/{thread}/state")
    assert state["next"] == []
    assert state["values"]["corpus"] == ended["corpus"]
    assert len(studio.call(f"/threads/{thread}/history?limit=50")) >= 5

    with look_at_run(tmp_path / "run") as run:
        stored = list(query(run.folder, "SELECT id, strategies FROM fusions ORDER BY id"))
        (fork,) = query(run.folder, "SELECT id, turns FROM forks")
    listed = {found["metadata"].get("fusion") for found in studio.call("/threads/search", {"limit": 100})}
    assert {fusion["id"] for fusion in stored} <= listed
    for fusion in stored:
        ours = studio.call(f"/threads/{thread_id(fusion['id'])}/state")
        assert ours["values"]["fusion_id"] == fusion["id"]
        names = [strategy["name"] for strategy in ours["values"]["strategies"]]
        assert names == json.loads(fusion["strategies"])

    steps = studio.call(f"/threads/{thread_id(stored[0]['id'])}/history?limit=50")
    assert [step["next"] for step in reversed(steps)] == [
        ["__start__"],
        ["domain_analysis"],
        ["strategy_selection"],
        ["merged_corpus_generation"],
        ["variant", "variant", "variant"],
        ["collect"],
        [],
    ]
    assert fork["id"] in listed
    ended = studio.call(f"/threads/{thread_id(fork['id'])}/history?limit=50")[0]
    assert ended["values"]["turns"] == json.loads(fork["turns"])
