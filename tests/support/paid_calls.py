"""What a model server was asked: the truth about what is paid."""

import json
import queue
import shutil
import sqlite3
import threading
import time
from collections import Counter
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory

# what two runs over the same rows have in common: all but settings, times and the account of this run's calls
SAME = {
    "stages": "name, settings, books",
    "rows": "*",
    "rejected_rows": "*",
    "ratings": "*",
    "embedded": "*",
    "scores": "*",
    "clusters": "*",
    "pairs": "*",
    "fusions": "*",
    "fused_rows": "*",
    "lineage": "*",
    "datasets": "*",
}


def delay_of(call):
    """Between 5 and 30 ms, by the call."""
    return 0.005 + 0.025 * sha256(call.encode()).digest()[0] / 255


def slow_delay_of(call):
    """As before, but one call in eight takes a second, so that a second signal finds it in flight."""
    return 1.0 if sha256(call.encode()).digest()[1] < 32 else delay_of(call)


class PaidCalls:
    """The `answers` of a model server, which counts what it is asked and puts each call into `events`."""

    def __init__(self, answers, delay):
        self.answers = answers
        self.delay = delay
        self.asked = Counter()
        self.events = queue.SimpleQueue()
        self._answering = 0
        self._changed = threading.Condition()

    def __call__(self, operator, messages):
        call = json.dumps([operator, messages], sort_keys=True)
        with self._changed:
            self.asked[call] += 1
            self._answering += 1
        self.events.put(("call", operator))
        time.sleep(self.delay(call))
        try:
            return self.answers(operator, messages)
        finally:
            with self._changed:
                self._answering -= 1
                self._changed.notify_all()

    def total(self):
        """How many calls have arrived, once none is being answered."""
        with self._changed:
            self._changed.wait_for(lambda: not self._answering)
            return self.asked.total()


def calls_on_disk(folder: Path) -> int:
    """How many calls the ledger of a run has a reply to, read from a copy, so that nothing is repaired."""
    with TemporaryDirectory() as copy:
        for file in folder.glob("calls.db*"):
            shutil.copy(file, copy)
        connection = sqlite3.connect(f"{copy}/calls.db")
        try:
            if connection.execute("PRAGMA user_version").fetchone() == (0,):
                return 0  # killed before it had any table
            return connection.execute("SELECT count(*) FROM calls WHERE reply IS NOT NULL").fetchone()[0]
        finally:
            connection.close()


def results(folder: Path) -> dict[str, object]:
    """All that a run has found: its tables, and the bytes of the training file."""
    connection = sqlite3.connect(f"file:{folder}/run.db?mode=ro", uri=True)
    try:
        found: dict[str, object] = {
            table: connection.execute(f"SELECT {columns} FROM {table} ORDER BY 1, 2").fetchall()
            for table, columns in SAME.items()
        }
    finally:
        connection.close()
    return found | {"training file": (folder / "hq+entp.jsonl").read_bytes()}
