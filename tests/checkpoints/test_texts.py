"""Texts in parts: what is cut where, what is stored once, and files from before."""

import contextlib
import json
import sqlite3
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from entp.checkpoints import open_ledger
from entp.checkpoints.sqlite import texts
from entp.checkpoints.sqlite.texts import LEAST, parts_of
from entp.prompts.inputs import FinalAnswerCheckInput, InformationCompletenessInput
from entp.prompts.render import render
from entp.records.conversation import Turn
from entp.records.errors import RunFolderError
from recorded_calls import called, record

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
    with open_ledger(path) as ledger:
        record(ledger, called(json.dumps([LONG, "first"]), json.dumps({"draft": LONG})))
        record(ledger, called(json.dumps([LONG, "second"]), json.dumps({"draft": LONG})))
    with contextlib.closing(sqlite3.connect(path)) as connection:
        stored = connection.execute("SELECT zipped, body FROM texts").fetchall()
    bodies = [zlib.decompress(body) if zipped else body for zipped, body in stored]
    assert sum(body.count(LONG.encode()) for body in bodies) == 1


def test_numbers_are_not_taken_from_a_transaction_that_was_rolled_back(path, monkeypatch):
    """SQLite gives them to other texts, so a number that is remembered would name the wrong one."""
    with open_ledger(path) as ledger:
        record(ledger, called("before"))
        with pytest.raises(RunFolderError):
            record(ledger, called("late", "said twice", created_s=None))
        record(ledger, called("other", "another reply"), called("late", "said twice"))
        assert [call.reply.text for call in ledger.calls()][1:] == ["another reply", "said twice"]
        assert ledger.verify() == []


def test_when_too_many_numbers_are_remembered_all_are_forgotten(path, monkeypatch):
    monkeypatch.setattr(texts, "KNOWN", 3)
    calls = [called(f"question {number % 5}", f"reply {number}") for number in range(20)]
    with open_ledger(path) as ledger:
        record(ledger, *calls)
        assert list(ledger.calls()) == calls
        assert ledger.verify() == []


def test_a_part_that_another_process_has_stored_is_not_stored_again(path):
    with open_ledger(path) as ledger, open_ledger(path) as other:
        record(ledger, called("one", LONG))
        record(other, called("two", LONG))
        record(ledger, called("three", LONG))
        assert [call.reply.text for call in other.calls()] == [LONG] * 3
        assert ledger.verify() == []
