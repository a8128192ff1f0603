"""A bench for runs that are stopped, killed and resumed, and the undisturbed run to compare them with."""

import asyncio
import json
from collections import Counter
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import pytest

from entp.pipeline.run.stage import run_stage
from entp.pipeline.stages.order import STAGES, look_at_run, open_run, stage_named
from entp.pipeline.views.verify import verify
from entp_process import EntpProcess
from model_server import ModelInProcess, ModelServer
from paid_calls import PaidCalls, calls_on_disk, delay_of, results
from small_pool import every_encoder_faked, pool_rows

CONCURRENCY = 4
SETTINGS = {
    "model": "fake",
    "encoder": "fake",
    "similarity": 0.6,
    "rater": "model",
    "concurrency": CONCURRENCY,
}


@pytest.fixture(scope="module", autouse=True)
def _encoder():
    """No command here is about vectors; those in processes of their own have the fake one too."""
    with every_encoder_faked():
        yield


class Bench:
    """A pool, a model server that knows what it was paid for, and commands over run folders."""

    def __init__(self, pool, server, answers):
        self.pool = pool
        self.server = server
        self._answers = answers
        self.delay = delay_of
        self.renew()
        self.settings = SETTINGS | {"base_url": server.base_url}

    def renew(self):
        """Begin the account of calls again."""
        self.calls = self.server.answers = PaidCalls(self._answers, self.delay)

    def server_is_back(self):
        """A new server at the address of the one that was stopped."""
        self.server = ModelServer(self.calls, urlsplit(self.server.base_url).port)

    def start(self, folder, **options):
        """`entp run` over a folder, in a process of its own."""
        given = [part for name, value in self.settings.items() for part in (_option(name), value)]
        process = EntpProcess("run", self.pool, "--run", folder, *given, **options)
        self.calls.events = process.events
        return process

    def finish(self, folder, last="export"):
        """Bring a run up to date in this process, as far as a stage."""
        changes = self.settings | {"pool": (str(self.pool),)}
        with open_run(folder, changes, create=True) as run:
            for stage in STAGES[: STAGES.index(stage_named(last)) + 1]:
                asyncio.run(run_stage(run, stage))
        assert self.verify(folder) == []

    def verify(self, folder):
        """What `entp verify` finds wrong with a run."""
        with look_at_run(folder) as run:
            return verify(run)

    def in_flight(self, folder):
        """How many calls the server has been asked that are not in the ledger: those that a kill cost."""
        return self.calls.total() - calls_on_disk(folder)


@dataclass(frozen=True)
class Undisturbed:
    """What a run that nothing disturbs finds, and the calls it takes."""

    found: dict[str, Any]
    asked: Counter[str]


@pytest.fixture(scope="session")
def durable_pool(tmp_path_factory):
    path = tmp_path_factory.mktemp("durability") / "pool.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in pool_rows(20)), "utf-8")
    return path


@pytest.fixture(scope="session")
def undisturbed(durable_pool, tmp_path_factory, fake_answers):
    with every_encoder_faked(), ModelInProcess(fake_answers).at_its_address() as server:
        bench = Bench(durable_pool, server, fake_answers)
        bench.calls.delay = lambda call: 0
        folder = tmp_path_factory.mktemp("undisturbed") / "run"
        bench.finish(folder)
    return Undisturbed(results(folder), bench.calls.asked)


def _option(setting):
    return f"--{setting.replace('_', '-')}"


@pytest.fixture
def bench(durable_pool, fake_answers):
    made = Bench(durable_pool, ModelServer(fake_answers), fake_answers)
    yield made
    made.server.stop()
