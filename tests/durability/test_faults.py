"""The table of docs/reliability.md: what a model server's faults leave behind, and what the user reads."""

from __future__ import annotations

import functools
import json
from dataclasses import dataclass, field

import pytest

import entp.providers.chat as chat
from command import entp
from entp.checkpoints.ledger import Ledger
from scripted_server import ScriptedServer, Sent, as_json, completion, failure

RATING = {"rarity": 5, "complexity": 5, "informativeness": 5, "overall": 7}
GOOD = completion(RATING)
CUT_OFF = '{"rarity": 5, "compl'
MISTYPED = RATING | {"overall": "seven"}
HTML = "<html><body>Sign in</body></html>"
SERVER = "model server http://HOST/v1"
LATER = "the server may recover: try again later, with a lower --concurrency if this goes on"
OVERDUE = (
    "gave no answer in time; "
    "try again later, with a lower --concurrency or a longer --timeout-s if this goes on"
)
NO_REPLY = f"{SERVER} sent what is no reply of an OpenAI-compatible server:"
ADDRESS = "check that the server is running and that its address is right (it often ends in /v1)"
UNAVAILABLE, REFUSED, UNUSABLE = "ServerUnavailable", "RequestRefused", "ReplyUnusable"


@dataclass(frozen=True)
class Case:
    """A fault that strikes one row of three, and what comes of it.

    `sent`: how often that row's question goes out. `says`: kind and words as the user reads them. `raw`: what
    is kept of what the server sent. `stops`: the run ends there, else the other rows go on.
    """

    name: str
    fault: Sent
    sent: int
    kind: str
    says: str
    raw: str = ""
    stops: bool = False
    options: tuple[object, ...] = ()
    waits: list[float] | None = None
    patience: dict[str, int] = field(default_factory=dict)
    models: tuple[str, ...] | None = ("fake",)


# two tries where each lasts as long as the time-out
IMPATIENT = {"options": ("--timeout-s", 1), "patience": {"retries": 1}}
CASES = [
    Case("400", failure(400), 1, REFUSED, f"{SERVER} answered 400: because of this"),
    Case(
        "401",
        failure(401),
        1,
        "AccessRefused",
        f"{SERVER} refused a request without a key (401); "
        "give a key that is valid there, in OPENAI_API_KEY or with --key-file",
        stops=True,
    ),
    Case(
        "404",
        failure(404),
        1,
        "ModelMissing",
        "model 'fake' cannot be asked at http://HOST/v1 (404: because of this); "
        "the server lists this model: check that it is one for chat, and the server's address",
        stops=True,
    ),
    Case(
        "a wrong model name, no list of models",
        failure(404, "no such model", "model_not_found"),
        1,
        "ModelMissing",
        "model 'fake' cannot be asked at http://HOST/v1 (404: no such model); "
        "check the model's name and the server's address (it often ends in /v1)",
        stops=True,
        models=None,
    ),
    Case("408", failure(408), 6, UNAVAILABLE, f"{SERVER} answered 408: because of this; {LATER}"),
    Case(
        "413",
        failure(413),
        1,
        REFUSED,
        f"{SERVER} answered 413: because of this; "
        "leave rows of that length out with --max-row-bytes, or ask a model that takes more",
    ),
    Case("429", failure(429), 6, UNAVAILABLE, f"{SERVER} answered 429: because of this; {LATER}"),
    Case(
        "429 with Retry-After",
        failure(429, Retry_After="7"),
        6,
        UNAVAILABLE,
        f"{SERVER} answered 429: because of this; {LATER}",
        waits=[7, 7, 7, 7, 7],
    ),
    Case(
        "no quota",
        failure(429, "too much", "insufficient_quota"),
        1,
        "AccessRefused",
        "the account has no quota left at http://HOST/v1: too much; "
        "add credit to the account, or use another key or server",
        stops=True,
    ),
    Case("500", failure(500), 6, UNAVAILABLE, f"{SERVER} answered 500: because of this; {LATER}"),
    Case("503", failure(503), 6, UNAVAILABLE, f"{SERVER} answered 503: because of this; {LATER}"),
    Case(
        "a reset half-way through the body",
        Sent(b"x" * 1000, manner="reset"),
        6,
        UNAVAILABLE,
        "the connection to model server http://HOST/v1 broke off: peer closed connection without sending "
        f"complete message body (received 500 bytes, expected 1000); {LATER}",
    ),
    Case("no answer", Sent(manner="silent"), 2, UNAVAILABLE, f"{SERVER} {OVERDUE}", **IMPATIENT),
    Case("slow drips", Sent(manner="drip"), 2, UNAVAILABLE, f"{SERVER} {OVERDUE}", **IMPATIENT),
    Case("an empty body", Sent(b""), 6, UNAVAILABLE, f"{NO_REPLY} an empty body; {ADDRESS}"),
    Case(
        "HTML",
        Sent(HTML.encode(), content_type="text/html"),
        6,
        UNAVAILABLE,
        f"{NO_REPLY} a page of HTML; {ADDRESS}",
        raw=HTML,
    ),
    Case(
        "a body cut short",
        Sent(b'{"choices": [{"message'),
        6,
        UNAVAILABLE,
        f'{NO_REPLY} {{"choices": [{{"message; {ADDRESS}',
        raw='{"choices": [{"message',
    ),
    Case(
        "wrong types around the reply",
        as_json({"choices": [{"message": {"content": 7}}]}),
        6,
        UNAVAILABLE,
        f'{NO_REPLY} {{"choices": [{{"message": {{"content": 7}}}}]}}; {ADDRESS}',
        raw='{"choices": [{"message": {"content": 7}}]}',
    ),
    Case(
        "a reply cut off",
        completion(CUT_OFF, finish_reason="length"),
        3,
        UNUSABLE,
        "it was cut off at the length limit; allow longer replies with --max-tokens",
        raw=CUT_OFF,
    ),
    Case(
        "wrong types in the reply",
        completion(MISTYPED),
        3,
        UNUSABLE,
        "overall: Input should be a valid integer, unable to parse string as an integer; "
        "see what rating sent with entp show",
        raw=json.dumps(MISTYPED),
    ),
    Case(
        "a refusal",
        completion(None, message={"refusal": "I will not."}),
        1,
        "Declined",
        "rating: the model declined (refusal)",
        raw="I will not.",
    ),
    Case(
        "a filtered reply",
        completion("I", finish_reason="content_filter"),
        1,
        "Declined",
        "rating: the model declined (content_filter)",
        raw="I",
    ),
]


class Waits(list):
    """Notes the waits that are asked for, and waits for none."""

    async def __call__(self, seconds):
        self.append(seconds)


@pytest.fixture
def waits(monkeypatch):
    """What the provider would have waited; with `patience` it tries less often."""
    made = Waits()
    made.patience = {}

    def impatient(*args, **settings):
        return original(*args, **settings, **made.patience, sleep=made)

    original = chat.OpenAIChat
    monkeypatch.setattr(chat, "OpenAIChat", impatient)
    return made


@pytest.fixture
def rate(tmp_path, waits):
    """A run of rows that only the model can rate; gives the command that rates them, one at a time."""

    def prepared(server, rows=3):
        pool = tmp_path / "pool.jsonl"
        records = [
            {"id": f"row-{at}", "instruction": f"Question {at}?", "output": "Yes."} for at in range(rows)
        ]
        pool.write_text("".join(f"{json.dumps(record)}\n" for record in records))
        assert entp("load", pool, "--run", tmp_path / "run").code == 0
        asked = ("--model", "fake", "--base-url", server.base_url, "--reply-mode", "json_schema")
        return functools.partial(entp, "rate", "--run", tmp_path / "run", *asked, "--concurrency", 1)

    return prepared


def strikes(fault):
    """Answers in which one row of the pool meets the fault."""
    return lambda operator, messages: fault if "Question 1?" in messages[1]["content"] else GOOD


def recorded(folder):
    """What the ledger holds of the row that was struck."""
    with Ledger(folder / "calls.db") as ledger:
        return [call for call in ledger.calls() if "Question 1?" in call.request.messages[1].content]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_fault_is_kept_told_and_made_good(case, rate, waits, tmp_path):
    waits.patience = case.patience
    with ScriptedServer(strikes(case.fault)) as server:
        server.models = case.models
        says = case.says.replace("HOST", server.address)
        command = rate(server)
        ended = command(*case.options)

        struck = [text for _, text in server.asked if "Question 1?" in text]
        assert len(struck) == case.sent
        if case.waits is not None:
            assert waits == case.waits
        assert len(waits) == (case.sent - 1 if case.kind == UNAVAILABLE else 0)
        kept = recorded(tmp_path / "run")
        if case.kind in {UNUSABLE, "Declined"}:
            assert [(call.error_class, call.reply.text) for call in kept] == [("", case.raw)] * case.sent
        else:
            assert [(call.error_class, call.error_message) for call in kept] == [(case.kind, says)]
            assert [call.reply.text if call.reply else "" for call in kept] == [case.raw]

        books = json.loads(entp("status", "--run", tmp_path / "run", "--json").out)["books"]["rate"]
        assert books["balanced"]
        if case.stops:
            assert ended == (1, "", f"entp: {says}\n")
            assert (books["outputs"], books["pending"]) == (1, 2)
        else:
            assert ended.code == 3
            assert f"  1 x {case.kind}: {says}\n" in ended.out
            assert "entp list unrated; --retry-failed" in ended.out
            assert (books["outputs"], books["failed"]) == (2, {case.kind: 1})
            (unrated,) = json.loads(entp("list", "unrated", "--run", tmp_path / "run", "--json").out)
            assert (unrated["row_id"], unrated["raw"]) == ("row-1", case.raw)
            assert unrated["reason"] == f"{case.kind}: {says}"

        before = len(server.asked)
        server.answers = lambda operator, messages: GOOD
        again = command(*case.options, *(() if case.stops else ("--retry-failed",)))
        assert (again.code, again.err) == (0, "")
        assert "rate: 3 rows in, 3 out\n" in again.out
        assert len(server.asked) - before == (2 if case.stops else 1)


@pytest.mark.parametrize(
    "odd",
    [
        Sent(GOOD.body, content_type="text/plain"),
        completion(RATING, usage={"prompt_tokens": "many", "completion_tokens": 5, "total_tokens": 15}),
    ],
    ids=["a wrong content type", "tokens that are no numbers"],
)
def test_a_reply_that_can_be_read_is_taken_however_it_came(rate, odd):
    with ScriptedServer(strikes(odd)) as server:
        ended = rate(server)()
        assert "rate: 3 rows in, 3 out\n" in ended.out
        assert len(server.asked) == 3


def test_a_wrong_model_name_is_told_before_anything_is_asked(rate):
    with ScriptedServer(lambda operator, messages: GOOD) as server:
        server.models = ["large", "small"]
        ended = rate(server)()
        assert ended.code == 1
        assert ended.err == (
            f"entp: model 'fake' is not known at {server.base_url}; "
            "choose one of those it offers: large, small\n"
        )
        assert server.asked == []
        server.models = ["fake"]
        assert "rate: 3 rows in, 3 out\n" in rate(server)().out


def test_a_server_that_stays_down_stops_the_run_and_is_asked_again(rate, tmp_path):
    with ScriptedServer(lambda operator, messages: failure(503)) as server:
        command = rate(server, rows=12)
        ended = command()
        assert (ended.code, ended.out) == (1, "")
        assert ended.err == f"entp: model server {server.base_url} answered 503: because of this; {LATER}\n"
        assert len(server.asked) == 10 * 6
        with Ledger(tmp_path / "run" / "calls.db") as ledger:
            assert [call.error_class for call in ledger.calls()] == [UNAVAILABLE] * 10
        server.asked.clear()
        server.answers = lambda operator, messages: GOOD
        assert "rate: 12 rows in, 12 out\n" in command().out
        assert len(server.asked) == 12


def test_a_list_of_models_that_drips_is_given_up(rate):
    with ScriptedServer(lambda operator, messages: GOOD) as server:
        command = rate(server)
        server.models = Sent(manner="drip")
        ended = command("--timeout-s", 0.3)
        assert (ended.code, ended.err) == (1, f"entp: model server {server.base_url} {OVERDUE}\n")
        assert server.asked == []
