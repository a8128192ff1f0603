import asyncio
import contextlib
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from entp.checkpoints.sqlite import ledger as ledger_module
from entp.checkpoints.sqlite.ledger import Ledger, OperatorTotals, RecordedCall
from entp.checkpoints.sqlite.migrations import open_database
from entp.records.calls import ChatReply, ChatRequest, Usage, call_key
from entp.records.conversation import Turn
from recorded_calls import RULES, called, failed, record, request


@pytest.fixture
def path(tmp_path):
    return tmp_path / "calls.db"


@pytest.fixture
def ledger(path):
    with Ledger(path) as ledger:
        yield ledger


@contextlib.contextmanager
def tampered(path):
    connection = sqlite3.connect(path)
    yield connection
    connection.commit()
    connection.close()


def test_what_was_recorded_is_found_whole(ledger):
    call = called()
    assert ledger.find(call.key) is None
    record(ledger, call)
    assert ledger.find(call.key) == call


any_text = st.text(st.characters(), max_size=400) | st.text("ab\ud800", min_size=300, max_size=600)
scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(2**40), 2**40)
    | st.floats(allow_nan=False, allow_infinity=False)
)
json_object = st.dictionaries(
    st.text(max_size=5), scalars | any_text | st.lists(scalars, max_size=2), max_size=3
)
requests = st.builds(
    ChatRequest,
    operator=st.sampled_from(["rating", "domain_analysis"]),
    template_hash=st.text("0123456789abcdef", min_size=64, max_size=64),
    messages=st.lists(
        st.builds(Turn, role=st.sampled_from(["system", "user", "assistant"]), content=any_text), max_size=4
    ).map(tuple),
    temperature=st.floats(0, 2),
    reply_schema=json_object,
    attempt=st.integers(1, 9),
)
replies = st.builds(
    ChatReply,
    text=any_text,
    finish_reason=st.sampled_from(["stop", "length", "refusal", "content_filter", "other"]),
    usage=st.builds(Usage, prompt_tokens=st.integers(0, 10**6), completion_tokens=st.integers(0, 10**6)),
    latency_s=st.floats(0, 1000),
)


@st.composite
def any_calls(draw):
    identity, asked, reply = draw(json_object), draw(requests), draw(st.none() | replies)
    error = {} if reply else {"error_class": "ServerUnavailable", "error_message": draw(any_text)}
    return RecordedCall(call_key(identity, asked), identity, asked, reply, **error)


@settings(max_examples=25, deadline=None)
@given(calls=st.lists(any_calls(), min_size=1, max_size=6))
def test_any_call_comes_back_as_it_was(calls):
    with TemporaryDirectory() as folder, Ledger(Path(folder) / "calls.db") as ledger:
        record(ledger, *calls)
        assert list(ledger.calls()) == calls
        for call in calls:
            answering = [other for other in calls if other.key == call.key and other.answers]
            assert ledger.find(call.key) == (answering[0] if answering else None)
        assert ledger.verify() == []


RECORD_AND_DIE = """
import asyncio, os, signal, sys
from entp.checkpoints.sqlite.ledger import Ledger, RecordedCall
from entp.records.calls import ChatReply, ChatRequest, call_key
request = ChatRequest.model_validate_json(sys.argv[2])
call = RecordedCall(call_key({}, request), {}, request, ChatReply(text="paid for"))
asyncio.run(Ledger(sys.argv[1]).record(call))
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_recorded_reply_survives_the_death_of_the_process(path):
    arguments = [sys.executable, "-c", RECORD_AND_DIE, path, request("one").model_dump_json()]
    assert subprocess.run(arguments, check=False).returncode == -signal.SIGKILL
    with Ledger(path) as ledger:
        assert ledger.find(call_key({}, request("one"))).reply.text == "paid for"
        assert ledger.verify() == []


def test_it_is_flushed_to_the_disk_with_every_commit(path, monkeypatch):
    opened = []

    def watched(*args, **options):
        opened.append(open_database(*args, **options))
        return opened[-1]

    monkeypatch.setattr(ledger_module, "open_database", watched)
    with Ledger(path) as ledger:
        record(ledger, called())
        # of the two connections, the one that has written must be in FULL mode (2)
        modes = {c.total_changes > 0: c.execute("PRAGMA synchronous").fetchone()[0] for c in opened}
    assert modes[True] == 2


def test_many_at_once_are_all_recorded(ledger):
    calls = [called(f"question {number}", f"reply {number}") for number in range(300)]

    async def run():
        await asyncio.gather(*map(ledger.record, calls))

    asyncio.run(run())
    assert [ledger.find(call.key) for call in calls] == calls


def test_texts_that_repeat_are_stored_once_and_long_ones_small(path):
    with Ledger(path) as ledger:
        record(ledger, *(called(f"question {number}") for number in range(20)))
    with tampered(path) as connection:
        (texts,) = connection.execute("SELECT count(*) FROM texts").fetchone()
        (size,) = connection.execute("SELECT max(length(body)) FROM texts").fetchone()
    assert texts == 20 + 3  # the questions; the rules, the frame and the reply
    assert size < len(RULES) / 2


@pytest.mark.parametrize("finish_reason", ["stop", "length", "other"])
def test_a_reply_answers(ledger, finish_reason):
    call = called(reply=ChatReply(text="so", finish_reason=finish_reason))
    record(ledger, call)
    assert call.answers
    assert ledger.find(call.key) == call


@pytest.mark.parametrize(
    "call",
    [
        failed(),
        *(called(reply=ChatReply(text="no", finish_reason=why)) for why in ("refusal", "content_filter")),
    ],
)
def test_a_failure_is_recorded_but_never_answers(ledger, call):
    record(ledger, call)
    assert not call.answers
    assert ledger.find(call.key) is None
    assert list(ledger.calls()) == [call]

    record(ledger, called(reply="better"))
    assert ledger.find(call.key).reply.text == "better"


def test_the_first_reply_stands(ledger):
    record(ledger, called(reply="first"), called(reply="second"))
    assert ledger.find(called().key).reply.text == "first"


def test_the_first_of_two_processes_stands(path):
    """Both have paid, and both get to know whose reply counts."""
    ours, theirs, in_vain, other_question = (
        called(reply="ours"),
        called(reply="theirs"),
        failed(),
        failed("two"),
    )
    with Ledger(path) as ledger, Ledger(path) as other:
        assert asyncio.run(other.record(theirs)) == theirs
        assert asyncio.run(ledger.record(ours)) == theirs
        assert asyncio.run(ledger.record(in_vain)) == theirs
        assert list(ledger.calls()) == [theirs, ours, in_vain]
        assert asyncio.run(ledger.record(other_question)) == other_question


def test_a_reply_is_found_without_its_request(ledger):
    answered, missing, refused = called(), called("two"), failed("three")
    record(ledger, answered, refused)
    assert ledger.reply(answered.key) == answered.reply
    assert ledger.reply(missing.key) is None
    assert ledger.reply(refused.key) is None


def test_calls_can_be_chosen(ledger):
    calls = [called("a"), called("b", operator="domain_analysis"), failed("c")]
    record(ledger, *calls)
    assert list(ledger.calls()) == calls
    assert list(ledger.calls(operator="rating")) == [calls[0], calls[2]]
    assert list(ledger.calls(answers=True)) == calls[:2]
    assert list(ledger.calls(answers=False)) == calls[2:]
    assert list(ledger.calls(operator="rating", answers=True)) == calls[:1]
    assert list(ledger.calls(operator="nobody")) == []


@pytest.mark.parametrize("digits", [1, 7, 12, 64])
def test_calls_are_found_by_the_start_of_their_key(ledger, digits):
    calls = [called(str(number)) for number in range(40)]
    record(ledger, *calls)
    wanted = calls[7].key[:digits]
    assert list(ledger.calls(key_prefix=wanted.upper())) == [c for c in calls if c.key.startswith(wanted)]
    assert list(ledger.calls(key_prefix=wanted + "x")) == []


def test_a_listing_longer_than_a_page_goes_on_and_sees_new_calls(ledger, monkeypatch):
    monkeypatch.setattr(ledger_module, "_PAGE", 3)
    calls = [called(str(number)) for number in range(8)]
    record(ledger, *calls[:7])
    listing = ledger.calls()
    listed = [next(listing)]
    record(ledger, calls[7])
    assert listed + list(listing) == calls


def test_totals_add_up_by_operator(ledger):
    record(ledger, called("a"), failed("a"), called("b"), called("a", operator="domain_analysis"))
    assert ledger.totals() == [
        OperatorTotals("domain_analysis", calls=1, failed=0, prompt_tokens=10, completion_tokens=3),
        OperatorTotals("rating", calls=3, failed=1, prompt_tokens=20, completion_tokens=6),
    ]


def test_the_latest_calls_tell_what_they_took(path):
    with Ledger(path) as ledger:
        record(ledger, *(called(str(number), created_s=float(number)) for number in range(5)), failed("x"))
        failure, newest, *_ = ledger.latest(3)
        assert len(ledger.latest(3)) == 3
        assert (failure.came, newest.came) == (False, True)
        assert (newest.operator, newest.prompt_tokens, newest.completion_tokens) == ("rating", 10, 3)
        assert (newest.latency_s, newest.created_s) == (0.5, 4.0)
