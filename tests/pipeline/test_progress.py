"""What is told while a stage works."""

from __future__ import annotations

import asyncio
from contextlib import contextmanager

import pytest

from entp.pipeline.ahead.job import run_all
from entp.pipeline.run.settings import Scope
from entp.pipeline.stages.order import open_run
from tables import count


class Heard:
    """Remembers what it is told: by task, how many there are and each number of items done."""

    def __init__(self):
        self.tasks = {}

    @contextmanager
    def task(self, label, total):
        done = []
        self.tasks[label] = (total, done)
        yield done.append

    def say(self, line):
        """Lines are not of interest here."""


@pytest.mark.parametrize("broken", ["nothing", "domain_analysis", "final_answer_check"])
def test_every_fusion_counts_once_as_it_ends(tmp_path, settings, model_server, broken):
    default = model_server.answers
    model_server.answers = lambda operator, messages: (
        "" if operator == broken else default(operator, messages)
    )
    for _ in range(2):
        heard = Heard()
        with open_run(
            tmp_path / "run", settings, scope=Scope(retry_failed=True), create=True, progress=heard
        ) as run:
            asyncio.run(run_all(run, lambda end: None))
            planned = count(run.folder, "pairs")
        total, done = heard.tasks["fusing pairs"]
        assert total == planned == len(done)
        assert set(done) == {1}
        if broken == "nothing":
            break
