"""What the ledger does about damage, locks, a full disk and its own closing."""

import asyncio
import contextlib
import os
import resource
import sqlite3

import pytest

from entp.checkpoints import open_ledger
from entp.checkpoints.sqlite import migrations
from entp.checkpoints.sqlite.ledger_schema import LEDGER
from entp.checkpoints.sqlite.migrations import open_database, transaction
from entp.records.errors import EntpError, RunFolderError
from recorded_calls import called, find, look_up, record


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


@pytest.mark.parametrize(
    ("damage", "problem"),
    [
        ("UPDATE texts SET body = zeroblob(40) WHERE zipped ORDER BY id LIMIT 1", "text 1"),
        (
            "UPDATE texts SET body = CAST('fake' AS BLOB) WHERE body = CAST('fine' AS BLOB)",
            "does not fit its hash",
        ),
        ("UPDATE texts SET hash = zeroblob(32) WHERE id = 3", "text 3: its content does not fit its hash"),
        ("UPDATE calls SET key = zeroblob(32)", "call 1: its key does not fit its request"),
        ("UPDATE calls SET messages = '[[\"user\", 2]]'", "call 1: its key does not fit its request"),
        ("UPDATE calls SET messages = '[[\"user\", 99]]'", "text 99 is missing"),
        ("UPDATE calls SET messages = '[['", "call 1 is damaged"),
        ("UPDATE calls SET reply = '[99]'", "text 99 is missing"),
        ("UPDATE calls SET reply = 7", "call 1 is damaged"),
        ("UPDATE calls SET frame = 99", "refers to a row of texts that is not there"),
        ("UPDATE calls SET finish_reason = 'odd'", "call 1 is damaged"),
    ],
)
def test_verify_finds_what_was_tampered_with(path, damage, problem):
    with open_ledger(path) as ledger:
        record(ledger, called())
        assert ledger.verify() == []
        with tampered(path) as connection:
            connection.execute(
                damage.replace(" ORDER BY id LIMIT 1", " AND id = (SELECT min(id) FROM texts)")
            )
        assert any(problem in line for line in ledger.verify())


def test_verify_finds_broken_pages(path):
    with open_ledger(path) as ledger:
        record(ledger, *(called(f"{number} {'long ' * number}") for number in range(200)))
    content = bytearray(path.read_bytes())
    content[8192:12288] = b"\xa5" * 4096
    path.write_bytes(content)
    with open_ledger(path) as ledger:
        assert ledger.verify()


def test_a_damaged_reply_is_an_error_not_an_answer(path):
    with open_ledger(path) as ledger:
        record(ledger, called())
        with tampered(path) as connection:
            connection.execute(
                "UPDATE texts SET body = CAST('fake' AS BLOB) WHERE body = CAST('fine' AS BLOB)"
            )
        for read in (find, look_up):
            with pytest.raises(RunFolderError, match=r"call 1 is damaged.*restore"):
                read(ledger, called().key)


def test_a_locked_file_is_an_error_and_recording_goes_on_afterwards(path, monkeypatch):
    monkeypatch.setattr(migrations, "BUSY_TIMEOUT_S", 0.01)
    with open_ledger(path) as ledger, contextlib.closing(open_database(path, LEDGER)) as other:

        async def run():
            with transaction(other):
                outcomes = await asyncio.gather(
                    *(ledger.record(called(str(number))) for number in range(5)), return_exceptions=True
                )
            assert [type(outcome) for outcome in outcomes] == [RunFolderError] * 5
            assert "another process is writing" in str(outcomes[0])
            await ledger.record(called("later"))

        asyncio.run(run())
        assert [call.request.messages[1].content for call in ledger.calls()] == ["later"]


def test_a_writer_waits_for_another(path):
    with open_ledger(path) as ledger, contextlib.closing(open_database(path, LEDGER)) as other:

        async def run():
            with transaction(other):
                recording = asyncio.create_task(ledger.record(called()))
                await asyncio.sleep(0)
            await recording

        asyncio.run(run())
        assert find(ledger, called().key)


def test_a_full_disk_is_an_error_in_one_line_and_nothing_hangs(path):
    with open_ledger(path) as ledger:
        record(ledger, called("before"))
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (os.path.getsize(f"{path}-wal"), hard))
        try:
            with pytest.raises(EntpError, match="disk") as caught:
                record(ledger, called("too much"))
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        assert "\n" not in str(caught.value)
        record(ledger, called("after"))
        assert [call.request.messages[1].content for call in ledger.calls()] == ["before", "after"]
        assert ledger.verify() == []


def test_two_may_read_while_one_writes(path):
    with open_ledger(path) as ledger, open_ledger(path) as other:
        for number in range(5):
            call = called(str(number))
            record(ledger, call)
            assert find(other, call.key) == call


def test_closing_writes_what_is_waiting(path):
    async def run():
        with open_ledger(path) as ledger:
            recording = [asyncio.create_task(ledger.record(called(str(number)))) for number in range(20)]
            await asyncio.sleep(0)
        await asyncio.gather(*recording)

    asyncio.run(run())
    with open_ledger(path) as ledger:
        assert len(list(ledger.calls())) == 20
