"""What every ledger does, whatever it is kept in."""

import asyncio
from dataclasses import replace
from tempfile import TemporaryDirectory
from uuid import uuid4

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from entp.checkpoints import open_ledger
from entp.records.calls import ChatReply, ChatRequest, Origin, RecordedCall, Totals, Usage, call_key
from entp.records.conversation import Turn
from entp.records.errors import RunFolderError
from recorded_calls import IDENTITY, called, failed, find, look_up, record, request


@pytest.fixture(params=["sqlite", "memory"])
def url(request, tmp_path):
    """An address at which nothing has been recorded."""
    return f"sqlite:///{tmp_path}/calls.db" if request.param == "sqlite" else f"memory:{uuid4()}"


@pytest.fixture
def ledger(url):
    with open_ledger(url) as ledger:
        yield ledger


def test_what_was_recorded_is_found_whole(ledger):
    call = called()
    assert find(ledger, call.key) is None
    record(ledger, call)
    assert find(ledger, call.key) == call


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
    origin = draw(
        st.sampled_from([Origin(), Origin("run", "fuse", "small", 0.5, 2), Origin("b", "rate", "m")])
    )
    error = {} if reply else {"error_class": "ServerUnavailable", "error_message": draw(any_text)}
    return RecordedCall(call_key(identity, asked), identity, asked, reply, origin=origin, **error)


@pytest.mark.parametrize("url", ["sqlite:///{}/calls.db", "memory:"])
@settings(max_examples=25)
@given(calls=st.lists(any_calls(), min_size=1, max_size=6))
def test_any_call_comes_back_as_it_was(url, calls):
    with TemporaryDirectory() as folder, open_ledger(url.format(folder)) as ledger:
        record(ledger, *calls)
        assert list(ledger.calls()) == calls
        for call in calls:
            answering = [other for other in calls if other.key == call.key and other.answers]
            assert find(ledger, call.key) == (answering[0] if answering else None)
        assert ledger.verify() == []


def many(ledger, calls):
    async def run():
        await asyncio.gather(*map(ledger.record, calls))

    asyncio.run(run())


def test_many_at_once_are_all_recorded(ledger):
    calls = [called(f"question {number}", f"reply {number}") for number in range(300)]

    many(ledger, calls)
    assert [find(ledger, call.key) for call in calls] == calls


@pytest.mark.parametrize("finish_reason", ["stop", "length", "other"])
def test_a_reply_answers(ledger, finish_reason):
    call = called(reply=ChatReply(text="so", finish_reason=finish_reason))
    record(ledger, call)
    assert call.answers
    assert find(ledger, call.key) == call


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
    assert find(ledger, call.key) is None
    assert list(ledger.calls()) == [call]

    record(ledger, called(reply="better"))
    assert find(ledger, call.key).reply.text == "better"


def test_the_first_reply_stands(ledger):
    record(ledger, called(reply="first"), called(reply="second"))
    assert find(ledger, called().key).reply.text == "first"


def test_of_two_that_have_it_open_the_first_reply_stands(url):
    """Both have paid, and both get to know whose reply counts."""
    ours, theirs, in_vain, other_question = (
        called(reply="ours"),
        called(reply="theirs"),
        failed(),
        failed("two"),
    )
    with open_ledger(url) as ledger, open_ledger(url) as other:
        assert asyncio.run(other.record(theirs)) == theirs
        assert asyncio.run(ledger.record(ours)) == theirs
        assert asyncio.run(ledger.record(in_vain)) == theirs
        assert list(ledger.calls()) == [theirs, ours, in_vain]
        assert asyncio.run(ledger.record(other_question)) == other_question


def test_a_reply_is_found_without_its_request(ledger):
    answered, missing, refused = called(), called("two"), failed("three")
    record(ledger, answered, refused)
    assert look_up(ledger, answered.key) == answered.reply
    assert look_up(ledger, missing.key) is None
    assert look_up(ledger, refused.key) is None


def test_calls_can_be_chosen(ledger):
    calls = [called("a"), called("b", operator="domain_analysis"), failed("c")]
    record(ledger, *calls)
    assert list(ledger.calls()) == calls
    assert list(ledger.calls(operator="rating")) == [calls[0], calls[2]]
    assert list(ledger.calls(operator="nobody")) == []


@pytest.mark.parametrize("digits", [1, 7, 12, 64])
def test_calls_are_found_by_the_start_of_their_key(ledger, digits):
    calls = [called(str(number)) for number in range(40)]
    record(ledger, *calls)
    wanted = calls[7].key[:digits]
    assert list(ledger.calls(key_prefix=wanted.upper())) == [c for c in calls if c.key.startswith(wanted)]
    assert list(ledger.calls(key_prefix=wanted + "x")) == []


def test_a_listing_goes_on_and_sees_new_calls(ledger):
    calls = [called(str(number)) for number in range(1100)]
    record(ledger, calls[0])
    many(ledger, calls[1:-1])
    listing = ledger.calls()
    listed = [next(listing)]
    record(ledger, calls[-1])
    assert listed + list(listing) == calls


def test_the_latest_calls_tell_what_they_took(ledger):
    record(ledger, *(called(str(number), created_s=float(number)) for number in range(5)), failed("x"))
    failure, newest, *_ = ledger.latest(3)
    assert len(ledger.latest(3)) == 3
    assert (failure.came, newest.came) == (False, True)
    assert (newest.operator, newest.prompt_tokens, newest.completion_tokens) == ("rating", 10, 3)
    assert (newest.latency_s, newest.created_s) == (0.5, 4.0)


OURS = Origin("first", "fuse", "large", prompt_price=2.0, completion_price=8.0)
THEIRS = Origin("second", "rate", "small")


def test_the_latest_calls_of_a_run_or_a_model(ledger):
    record(ledger, *(called(str(n), created_s=float(n), origin=(OURS, THEIRS)[n % 2]) for n in range(6)))
    assert [call.created_s for call in ledger.latest(2)] == [5.0, 4.0]
    assert [call.created_s for call in ledger.latest(2, run="first")] == [4.0, 2.0]
    assert [call.created_s for call in ledger.latest(9, model="small")] == [5.0, 3.0, 1.0]
    assert ledger.latest(9, run="first", model="small") == []
    assert ledger.latest(9, run="third") == []


def test_totals_say_who_spent_what(ledger):
    record(
        ledger,
        called("a"),
        called("b", origin=OURS),
        called("c", origin=OURS),
        failed("b", origin=OURS),
        called("b", operator="domain_analysis", origin=OURS),
        called("d", origin=THEIRS),
    )
    nobody = Totals("", "", "", "rating", 1, 0, 10, 3, priced=0, dollars=None)
    analysis = Totals("first", "fuse", "large", "domain_analysis", 1, 0, 10, 3, priced=1, dollars=44e-6)
    rating = Totals("first", "fuse", "large", "rating", 3, 1, 20, 6, priced=3, dollars=88e-6)
    theirs = Totals("second", "rate", "small", "rating", 1, 0, 10, 3, priced=0, dollars=None)
    assert rounded(ledger.totals()) == [nobody, analysis, rating, theirs]
    assert rounded(ledger.totals("first")) == [analysis, rating]
    assert ledger.totals("third") == []


def rounded(totals):
    return [replace(t, dollars=None if t.dollars is None else round(t.dollars, 9)) for t in totals]


def test_verify_finds_a_call_whose_key_is_not_its_own(ledger):
    sound, wrong = called("one"), RecordedCall(called("two").key, IDENTITY, request("three"))
    record(ledger, sound, wrong)
    assert ledger.verify() == ["call 2: its key does not fit its request"]


def test_it_is_closed_once_and_says_so(url):
    ledger = open_ledger(url)
    record(ledger, called())
    ledger.close()
    ledger.close()
    with pytest.raises(RunFolderError, match="closed"):
        record(ledger, called("two"))
    for read in (find, look_up):
        with pytest.raises(RunFolderError, match="closed"):
            read(ledger, called().key)
    with open_ledger(url) as again:
        assert find(again, called().key).reply.text == "fine"


def test_who_only_looks_sees_all_and_writes_nothing(url):
    with open_ledger(url) as ledger, open_ledger(url, read_only=True) as looking:
        record(ledger, called())
        assert find(looking, called().key).reply.text == "fine"
        assert looking.verify() == []
        with pytest.raises(RunFolderError, match="open for reading only"):
            record(looking, called("two"))
        assert len(list(ledger.calls())) == 1
