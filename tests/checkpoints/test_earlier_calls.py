"""Ledgers of earlier versions: all that they hold is there, under the keys of today."""

import asyncio
import contextlib
import hashlib
import json
import sqlite3
import zlib
from dataclasses import replace

import pytest

from entp.checkpoints import open_ledger
from entp.checkpoints.recorded_chat import OfflineChat
from entp.checkpoints.sqlite.ledger_schema import LEDGER
from entp.checkpoints.sqlite.migrations import Layout, open_database, transaction
from entp.records.calls import ChatReply, Origin, RecordedCall, Usage, call_key
from entp.records.errors import RunFolderError
from recorded_calls import IDENTITY, called, failed, find, record, request

LONG = "a string that several texts have in common, as rows and drafts are"


@pytest.fixture
def path(tmp_path):
    return tmp_path / "calls.db"


def whole(connection, text):
    """Store a text as the first layout did."""
    octets = text.encode()
    digest, zipped = hashlib.sha256(octets).digest(), len(octets) >= 200
    body = zlib.compress(octets) if zipped else octets
    insert = "INSERT OR IGNORE INTO texts (hash, zipped, body) VALUES (?, ?, ?)"
    connection.execute(insert, (digest, zipped, body))
    return connection.execute("SELECT id FROM texts WHERE hash = ?", (digest,)).fetchone()[0]


def written_as_before(path, *calls):
    """A file of the first layout, in which texts are whole."""
    first = Layout(file=LEDGER.file, tag=LEDGER.tag, migrations=LEDGER.migrations[:1])
    with contextlib.closing(open_database(path, first)) as connection, transaction(connection):
        for call in calls:
            asked, reply = json.loads(call.request.canonical), call.reply
            turns = [[turn["role"], whole(connection, turn["content"])] for turn in asked.pop("messages")]
            frame = json.dumps({"identity": call.identity, "request": asked})
            usage = reply.usage if reply else Usage()
            connection.execute(
                "INSERT INTO calls VALUES (NULL, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    bytes.fromhex(call.key),
                    call.request.operator,
                    whole(connection, frame),
                    json.dumps(turns),
                    whole(connection, reply.text) if reply else None,
                    reply.finish_reason if reply else None,
                    usage.prompt_tokens,
                    usage.completion_tokens,
                    reply.latency_s if reply else 0.0,
                    call.error_class,
                    whole(connection, call.error_message) if call.error_message else None,
                    call.created_s,
                ),
            )


OLD = (
    called(f"question one {LONG * 9}", json.dumps({"reply": LONG * 9})),
    failed("question two"),
    called("question three", ChatReply(text="no", finish_reason="refusal")),
)


def test_a_file_of_whole_texts_is_brought_along(path):
    written_as_before(path, *OLD)
    new = called(json.dumps([LONG * 9]))
    with open_ledger(path) as ledger:
        # of calls of before the model is known, and no more
        assert list(ledger.calls()) == [replace(call, origin=Origin(model="small")) for call in OLD]
        assert [total.calls for total in ledger.totals()] == [3]
        assert len(ledger.latest(9, model="small")) == 3
        assert find(ledger, OLD[0].key).reply == OLD[0].reply
        assert ledger.verify() == []
        record(ledger, new)
        assert [call.key for call in ledger.calls()] == [call.key for call in (*OLD, new)]
        assert ledger.verify() == []


def test_what_was_damaged_before_is_still_found_and_the_rest_is_there(path):
    written_as_before(path, *OLD)
    with contextlib.closing(sqlite3.connect(path)) as connection, connection:
        reply = connection.execute("SELECT reply FROM calls WHERE id = 1").fetchone()
        connection.execute("UPDATE texts SET body = x'00' WHERE id = ?", reply)
    with open_ledger(path) as ledger:
        assert [call.key for call in ledger.calls(key_prefix=OLD[1].key)] == [OLD[1].key]
        with pytest.raises(RunFolderError, match="call 1 is damaged"):
            find(ledger, OLD[0].key)
        assert any(f"text {reply[0]}" in line for line in ledger.verify())


def packed(attempt):
    """A call of a build that counted beginnings in the attempt's number."""
    asked = request(f"question {attempt}", attempt=attempt)
    return RecordedCall(call_key(IDENTITY, asked), IDENTITY, asked, ChatReply(text=f"reply {attempt}"))


def test_items_that_were_begun_again_are_answered_under_their_new_keys(path):
    written_as_before(path, *map(packed, (1, 2, 1001, 1003, 2001)))
    now = [
        request(f"question {before}", attempt=attempt, begun=begun)
        for before, attempt, begun in ((1, 1, 1), (2, 2, 1), (1001, 1, 2), (1003, 3, 2), (2001, 1, 3))
    ]
    with open_ledger(path) as ledger:
        assert [call.request for call in ledger.calls()] == now
        chat = OfflineChat(ledger, IDENTITY)
        replies = [asyncio.run(chat.complete(asked)).text for asked in now]
        assert ledger.verify() == []
    assert replies == [f"reply {number}" for number in (1, 2, 1001, 1003, 2001)]


def test_one_that_is_damaged_does_not_keep_the_others_from_their_keys(path):
    written_as_before(path, packed(1001), packed(1002), packed(1003))
    with contextlib.closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE calls SET messages = '[[' WHERE id = 1")
        frame = connection.execute("SELECT frame FROM calls WHERE id = 2").fetchone()
        connection.execute("UPDATE texts SET body = x'00' WHERE id = ?", frame)
    with open_ledger(path) as ledger:
        asked = request("question 1003", attempt=3, begun=2)
        assert find(ledger, call_key(IDENTITY, asked)).reply.text == "reply 1003"
        assert any("call 1 is damaged" in line for line in ledger.verify())
