"""The saver that LangGraph's server opens by its name."""

from __future__ import annotations

import asyncio
import importlib
import subprocess
import sys

import pytest
from langgraph.checkpoint.base import BaseCheckpointSaver

from entp.pipeline.views.studio_server import CONFIG

MODULE, _, NAME = CONFIG["checkpointer"]["path"].rpartition(".")


def open_by_name():
    async def run():
        async with getattr(importlib.import_module(MODULE), NAME)() as saver:
            assert isinstance(saver, BaseCheckpointSaver)
            await saver.adelete_thread("none")

    asyncio.run(run())


@pytest.mark.parametrize("named", [True, False])
def test_a_server_can_open_the_checkpoints_of_a_run_by_name_alone(tmp_path, monkeypatch, named):
    folder = tmp_path / "run" if named else tmp_path
    folder.mkdir(exist_ok=True)
    monkeypatch.chdir(tmp_path)
    if named:
        monkeypatch.setenv("ENTP_RUN", str(folder))
    else:
        monkeypatch.delenv("ENTP_RUN", raising=False)
    open_by_name()
    assert (folder / "checkpoints.db").exists()
    assert (tmp_path / "checkpoints.db").exists() is not named


def test_its_module_compiles_no_graph():
    look = f"import sys, {MODULE}; print('entp.pipeline.views.studio' in sys.modules)"
    shown = subprocess.run([sys.executable, "-c", look], capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "False"
