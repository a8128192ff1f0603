"""Texts in parts: what is cut where, what is stored once, and files from before."""

import contextlib
import hashlib
import json
import sqlite3
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from entp.checkpoints.sqlite import texts
from entp.checkpoints.sqlite.ledger import Ledger
from entp.checkpoints.sqlite.ledger_schema import LEDGER
from entp.checkpoints.sqlite.migrations import Layout, open_database, transaction
from entp.checkpoints.sqlite.texts import LEAST, parts_of
from entp.prompts.inputs import FinalAnswerCheckInput, InformationCompletenessInput
from entp.prompts.render import render
from entp.records.calls import ChatReply, Usage
from entp.records.conversation import Turn
from entp.records.errors import RunFolderError
from recorded_calls import called, failed, record

LONG = "a string that several texts have in common, as rows and drafts are"


@pytest.fixture
def path(tmp_path):
    return tmp_path / "calls.db"


@given(st.text() | st.text('"\\\n [{ab', max_size=200) | st.recursive(st.text(), st.lists).map(json.dumps))
def test_the_parts_in_a_row_are_the_text(text):
    assert "".join(parts_of(text)) == text


def test_a_long_string_is_a_part_of_its_own():
    value = {"user": LONG, "short": "x" * (LEAST - 1), "escaped": f'{LONG} "so" \\ {LONG}'}
    assert parts_of(json.dumps(value))[1::2] == [LONG, f'{LONG} \\"so\\" \\\\ {LONG}']
    assert parts_of(json.dumps(value, indent=2))[1::2] == parts_of(json.dumps(value))[1::2]


def test_a_string_that_is_cut_off_ends_with_its_line():
    assert parts_of(f'{{"a": "{LONG}\nand more') == ['{"a": "', LONG, "\nand more"]
    assert parts_of(f'"{LONG}\\') == ['"', LONG, "\\"]
    assert parts_of("") == [""]


def test_two_prompts_and_a_reply_share_what_they_say():
    draft = (Turn(role="user", content=f'{LONG}: "why?"'), Turn(role="assistant", content=f"{LONG}\nso."))
    check = render(FinalAnswerCheckInput(draft), "full").messages[1].content
    report = render(InformationCompletenessInput(draft, ["a"], ["b"]), "full").messages[1].content
    reply = json.dumps({"exchanges": [{"user": draft[0].content, "assistant": draft[1].content}]})
    shared = set(parts_of(check)) & set(parts_of(report)) & set(parts_of(reply))
    assert {json.loads(f'"{part}"') for part in shared} == {turn.content for turn in draft}


def test_what_is_shared_is_stored_once(path):
    with Ledger(path) as ledger:
        record(ledger, called(json.dumps([LONG, "first"]), json.dumps({"draft": LONG})))
        record(ledger, called(json.dumps([LONG, "second"]), json.dumps({"draft": LONG})))
    with contextlib.closing(sqlite3.connect(path)) as connection:
        stored = connection.execute("SELECT zipped, body FROM texts").fetchall()
    bodies = [zlib.decompress(body) if zipped else body for zipped, body in stored]
    assert sum(body.count(LONG.encode()) for body in bodies) == 1


def test_numbers_are_not_taken_from_a_transaction_that_was_rolled_back(path, monkeypatch):
    """SQLite gives them to other texts, so a number that is remembered would name the wrong one."""
    with Ledger(path) as ledger:
        record(ledger, called("before"))
        with pytest.raises(RunFolderError):
            record(ledger, called("late", "said twice", created_s=None))
        record(ledger, called("other", "another reply"), called("late", "said twice"))
        assert [call.reply.text for call in ledger.calls()][1:] == ["another reply", "said twice"]
        assert ledger.verify() == []


def test_when_too_many_numbers_are_remembered_all_are_forgotten(path, monkeypatch):
    monkeypatch.setattr(texts, "KNOWN", 3)
    calls = [called(f"question {number % 5}", f"reply {number}") for number in range(20)]
    with Ledger(path) as ledger:
        record(ledger, *calls)
        assert list(ledger.calls()) == calls
        assert ledger.verify() == []


def test_a_part_that_another_process_has_stored_is_not_stored_again(path):
    with Ledger(path) as ledger, Ledger(path) as other:
        record(ledger, called("one", LONG))
        record(other, called("two", LONG))
        record(ledger, called("three", LONG))
        assert [call.reply.text for call in other.calls()] == [LONG] * 3
        assert ledger.verify() == []


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
            asked, reply = call.request.model_dump(mode="json"), call.reply
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
    with Ledger(path) as ledger:
        assert list(ledger.calls()) == list(OLD)
        assert ledger.find(OLD[0].key) == OLD[0]
        assert ledger.verify() == []
        record(ledger, new)
        assert list(ledger.calls()) == [*OLD, new]
        assert ledger.verify() == []


def test_what_was_damaged_before_is_still_found_and_the_rest_is_there(path):
    written_as_before(path, *OLD)
    with contextlib.closing(sqlite3.connect(path)) as connection, connection:
        reply = connection.execute("SELECT reply FROM calls WHERE id = 1").fetchone()
        connection.execute("UPDATE texts SET body = x'00' WHERE id = ?", reply)
    with Ledger(path) as ledger:
        assert [call.key for call in ledger.calls(answers=False)] == [call.key for call in OLD[1:]]
        with pytest.raises(RunFolderError, match="call 1 is damaged"):
            ledger.find(OLD[0].key)
        assert any(f"text {reply[0]}" in line for line in ledger.verify())
