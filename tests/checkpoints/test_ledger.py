"""The ledger in a file: what is on disk when, and how much of it."""

import contextlib
import signal
import sqlite3
import subprocess
import sys

import pytest

from entp.checkpoints import open_ledger
from entp.checkpoints.sqlite import call_writer
from entp.checkpoints.sqlite import ledger as ledger_module
from entp.checkpoints.sqlite.migrations import open_database
from entp.records.calls import call_key
from recorded_calls import RULES, called, find, record, request


@pytest.fixture
def path(tmp_path):
    return tmp_path / "calls.db"


@pytest.fixture
def ledger(path):
    with open_ledger(path) as ledger:
        yield ledger


@contextlib.contextmanager
def tampered(path):
    connection = sqlite3.connect(path)
    yield connection
    connection.commit()
    connection.close()


RECORD_AND_DIE = """
import asyncio, os, signal, sys
from entp.checkpoints import open_ledger
from entp.records.calls import RecordedCall
from entp.records.calls import ChatReply, ChatRequest, call_key
request = ChatRequest.model_validate_json(sys.argv[2])
call = RecordedCall(call_key({}, request), {}, request, ChatReply(text="paid for"))
asyncio.run(open_ledger(sys.argv[1]).record(call))
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_recorded_reply_survives_the_death_of_the_process(path):
    arguments = [sys.executable, "-c", RECORD_AND_DIE, path, request("one").model_dump_json()]
    assert subprocess.run(arguments, check=False).returncode == -signal.SIGKILL
    with open_ledger(path) as ledger:
        assert find(ledger, call_key({}, request("one"))).reply.text == "paid for"
        assert ledger.verify() == []


def test_it_is_flushed_to_the_disk_with_every_commit(path, monkeypatch):
    opened = []

    def watched(*args, **options):
        opened.append(open_database(*args, **options))
        return opened[-1]

    monkeypatch.setattr(call_writer, "open_database", watched)
    with open_ledger(path) as ledger:
        record(ledger, called())
        (writer,) = opened
        assert writer.total_changes > 0
        assert writer.execute("PRAGMA synchronous").fetchone()[0] == 2  # FULL


def test_texts_that_repeat_are_stored_once_and_long_ones_small(path):
    with open_ledger(path) as ledger:
        record(ledger, *(called(f"question {number}") for number in range(20)))
    with tampered(path) as connection:
        (texts,) = connection.execute("SELECT count(*) FROM texts").fetchone()
        (size,) = connection.execute("SELECT max(length(body)) FROM texts").fetchone()
    assert texts == 20 + 3  # the questions; the rules, the frame and the reply
    assert size < len(RULES) / 2


def test_a_listing_longer_than_a_page_goes_on_and_sees_new_calls(ledger, monkeypatch):
    monkeypatch.setattr(ledger_module, "_PAGE", 3)
    calls = [called(str(number)) for number in range(8)]
    record(ledger, *calls[:7])
    listing = ledger.calls()
    listed = [next(listing)]
    record(ledger, calls[7])
    assert listed + list(listing) == calls
