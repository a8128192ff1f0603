"""The tables of calls.db, as numbered migrations."""

from __future__ import annotations

from .earlier_calls import count_beginnings, name_models
from .migrations import Layout, Migration

TABLES = """
CREATE TABLE texts (
    id INTEGER PRIMARY KEY,
    hash BLOB NOT NULL UNIQUE,   -- SHA-256 of the text
    zipped INTEGER NOT NULL,     -- 1: zlib
    body BLOB NOT NULL           -- UTF-8
);
CREATE TABLE calls (
    id INTEGER PRIMARY KEY,
    key BLOB NOT NULL,
    operator TEXT NOT NULL,
    frame INTEGER NOT NULL REFERENCES texts,  -- identity, and the request without its messages
    messages TEXT NOT NULL,                   -- [[role, text], ...]
    reply INTEGER REFERENCES texts,
    finish_reason TEXT,
    prompt_tokens INTEGER NOT NULL,
    completion_tokens INTEGER NOT NULL,
    latency_s REAL NOT NULL,
    error_class TEXT NOT NULL,
    error_message INTEGER REFERENCES texts,
    created_s REAL NOT NULL                   -- since 1970, UTC
);
CREATE INDEX calls_by_key ON calls (key);
"""

# a text that was stored whole is one of a single part
PARTS = """
UPDATE texts SET hash = substr(hash, 1, 16);  -- enough to tell texts apart
CREATE TABLE calls_of_parts (
    id INTEGER PRIMARY KEY,
    key BLOB NOT NULL,
    operator TEXT NOT NULL,
    frame INTEGER NOT NULL REFERENCES texts,  -- identity, and the request without its messages
    messages TEXT NOT NULL,                   -- [[role, text, ...], ...]: the parts of each turn
    reply TEXT,                               -- [text, ...]
    finish_reason TEXT,
    prompt_tokens INTEGER NOT NULL,
    completion_tokens INTEGER NOT NULL,
    latency_s REAL NOT NULL,
    error_class TEXT NOT NULL,
    error_message INTEGER REFERENCES texts,
    created_s REAL NOT NULL                   -- since 1970, UTC
);
INSERT INTO calls_of_parts
    SELECT id, key, operator, frame, messages, '[' || reply || ']', finish_reason, prompt_tokens,
        completion_tokens, latency_s, error_class, error_message, created_s
    FROM calls;
DROP TABLE calls;
ALTER TABLE calls_of_parts RENAME TO calls;
CREATE INDEX calls_by_key ON calls (key);
"""

ORIGINS = """
CREATE TABLE origins (           -- who asked
    id INTEGER PRIMARY KEY,
    run TEXT NOT NULL,           -- empty in calls of before, as is stage
    stage TEXT NOT NULL,
    model TEXT NOT NULL,
    prompt_price REAL,           -- dollars per million tokens, where known
    completion_price REAL
);
ALTER TABLE calls ADD COLUMN origin INTEGER REFERENCES origins
"""

LEDGER = Layout(
    file="calls.db",
    tag="ENTC",
    migrations=(
        Migration("texts and calls", TABLES),
        Migration("texts in parts", PARTS),
        Migration("origins", ORIGINS),
        Migration("models of earlier calls", name_models),
        Migration("beginnings beside attempts", count_beginnings),
    ),
)
