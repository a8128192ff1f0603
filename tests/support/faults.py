"""Faults of a model server that strike one row of three while it is rated, and what comes of each."""

from __future__ import annotations

import json
from dataclasses import dataclass

from scripted_server import Sent, as_json, completion, failure

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
    retries: int | None = None
    models: tuple[str, ...] | None = ("fake",)


# two tries where each lasts as long as the time-out
IMPATIENT = {"options": ("--timeout-s", 1), "retries": 1}
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
        failure(429, Retry_After="1"),
        6,
        UNAVAILABLE,
        f"{SERVER} answered 429: because of this; {LATER}",
        waits=[1, 1, 1, 1, 1],
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
