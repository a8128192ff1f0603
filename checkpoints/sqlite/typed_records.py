"""The change of run.db to layout 5: a column for each field of a record, data sets by name, tasks."""

from __future__ import annotations

import json
import sqlite3
import uuid
from typing import Any, get_args

from ...records.errors import RunFolderError
from ...records.vocabulary import ContentClass
from .migrations import DAMAGED, statements

# a NOT NULL cannot be taken from a column, so tables are made again; foreign keys are off in a migration
_TABLES = """
ALTER TABLE rows RENAME COLUMN pool_ratings TO ratings;

CREATE TABLE new_rejected_rows (
    file TEXT NOT NULL,
    line INTEGER NOT NULL,
    found TEXT NOT NULL,
    expected TEXT NOT NULL,
    PRIMARY KEY (file, line)
);
INSERT OR REPLACE INTO new_rejected_rows SELECT file, line, found, expected FROM rejected_rows ORDER BY rowid;
DROP TABLE rejected_rows;
ALTER TABLE new_rejected_rows RENAME TO rejected_rows;

CREATE TABLE new_ratings (
    row_id TEXT PRIMARY KEY,
    rater TEXT NOT NULL,
    origin TEXT NOT NULL CHECK (origin IN ('pool', 'model')),
    rating INTEGER,                     -- 1-10; NULL where the pool brings scores, or where unrated
    score INTEGER,                      -- 0-5; NULL where unrated
    criteria TEXT NOT NULL,             -- JSON: rarity, complexity, informativeness of a model's rating
    reason TEXT,                        -- why the row is unrated
    raw TEXT,                           -- the reply that could not be used
    tries INTEGER NOT NULL              -- how often the operator has begun
);
INSERT INTO new_ratings SELECT row_id, rater, origin, rating, score, criteria, nullif(reason, ''),
    nullif(raw, ''), CASE origin WHEN 'pool' THEN 1 ELSE :tries END FROM ratings ORDER BY rowid;
DROP TABLE ratings;
ALTER TABLE new_ratings RENAME TO ratings;

CREATE TABLE new_audits (               -- second ratings of some rows, each independent of the first
    row_id TEXT PRIMARY KEY,
    rater TEXT NOT NULL,
    origin TEXT NOT NULL CHECK (origin IN ('pool', 'model')),
    rating INTEGER,                     -- 1-10; NULL where the second rating failed
    score INTEGER,                      -- 0-5; likewise
    criteria TEXT NOT NULL,             -- JSON: rarity, complexity, informativeness
    reason TEXT,                        -- why there is no second rating
    raw TEXT,                           -- the reply that could not be used
    tries INTEGER NOT NULL              -- how often the operator has begun
);
INSERT INTO new_audits SELECT row_id, rater, 'model', rating, score, criteria, nullif(reason, ''),
    nullif(raw, ''), :tries FROM audits ORDER BY rowid;
DROP TABLE audits;
ALTER TABLE new_audits RENAME TO audits;

CREATE INDEX pairs_of_left ON pairs(left_id);
CREATE INDEX pairs_of_right ON pairs(right_id);
CREATE TABLE tasks (                    -- pairs still to be fused in this run of the stage
    pair_id TEXT PRIMARY KEY,
    position INTEGER NOT NULL,
    tries INTEGER NOT NULL,             -- how often its operators may begin
    holder TEXT,                        -- the worker that has claimed it
    until_s REAL,                       -- when the claim ends, seconds since 1970
    waits INTEGER NOT NULL              -- how many of its operands are tasks themselves
);
CREATE INDEX tasks_at_hand ON tasks(position) WHERE waits = 0;
CREATE INDEX tasks_held ON tasks(holder) WHERE holder IS NOT NULL;
"""

_FUSIONS = """
CREATE TABLE new_fusions (
    id TEXT PRIMARY KEY,
    asked TEXT NOT NULL,                -- hash of operands' texts and recipe; empty where it failed
    status TEXT NOT NULL CHECK (status IN ('done', 'failed')),
    recipe TEXT,                        -- JSON: model, profile, tries and settings; NULL: not kept
    reason TEXT,                        -- why it failed
    domains TEXT NOT NULL,              -- JSON: the domain report
    strategies TEXT NOT NULL,           -- JSON
    templates TEXT NOT NULL,            -- JSON: hash of every template that its calls used
    carried TEXT,                       -- the fused row that a later fusion of the cluster takes up
    missing TEXT NOT NULL,              -- JSON: failed fusions below it that were folded past
    calls TEXT NOT NULL                 -- JSON: domain analysis and merge
);
INSERT INTO new_fusions SELECT id, asked, status, nullif(recipe, '{}'), nullif(reason, ''), domains,
    strategies, '{}', carried, '[]', calls FROM fusions ORDER BY rowid;
DROP TABLE fusions;
ALTER TABLE new_fusions RENAME TO fusions;

CREATE TABLE new_fused_rows (           -- one a variant
    id TEXT PRIMARY KEY,
    fusion_id TEXT NOT NULL REFERENCES fusions(id) ON DELETE CASCADE,
    variant INTEGER NOT NULL,
    strategy TEXT NOT NULL,
    status TEXT NOT NULL CHECK (status IN ('fused', 'failed')),
    turns TEXT NOT NULL,                -- JSON
    loss INTEGER,                       -- NULL where it failed
    templates TEXT NOT NULL,            -- JSON: the path of templates
    attempts TEXT NOT NULL,             -- JSON: every attempt with text, report, loss and calls
    reason TEXT,                        -- why it failed
    raw TEXT,                           -- the reply that could not be used
    model TEXT NOT NULL,
    prompt_tokens INTEGER NOT NULL,
    completion_tokens INTEGER NOT NULL
);
INSERT INTO new_fused_rows SELECT id, fusion_id, variant, strategy, status, turns,
    CASE status WHEN 'fused' THEN loss END, templates, attempts, nullif(reason, ''), nullif(raw, ''), model,
    prompt_tokens, completion_tokens FROM fused_rows ORDER BY rowid;
DROP TABLE fused_rows;
ALTER TABLE new_fused_rows RENAME TO fused_rows;
CREATE INDEX fused_rows_of_fusion ON fused_rows(fusion_id);

CREATE TABLE new_forks (                -- variants run on from an earlier point, beside the original
    id TEXT PRIMARY KEY,
    fusion_id TEXT NOT NULL,            -- no reference: a fork stays when its fusion is made again
    variant INTEGER NOT NULL,
    cycle INTEGER NOT NULL,
    attempt INTEGER NOT NULL,           -- the attempt that was made again
    changes TEXT NOT NULL,              -- JSON: what was set
    strategy TEXT NOT NULL,
    status TEXT NOT NULL CHECK (status IN ('fused', 'failed')),
    turns TEXT NOT NULL,                -- JSON
    loss INTEGER,                       -- NULL where it failed
    templates TEXT NOT NULL,            -- JSON: the path of templates
    attempts TEXT NOT NULL,             -- JSON: every attempt, those before the point included
    reason TEXT,                        -- why it failed
    raw TEXT,                           -- the reply that could not be used
    model TEXT NOT NULL,
    prompt_tokens INTEGER NOT NULL,
    completion_tokens INTEGER NOT NULL,
    created TEXT NOT NULL               -- UTC
);
INSERT INTO new_forks SELECT id, fusion_id, variant, cycle, attempt, changes, strategy, status, turns,
    CASE status WHEN 'fused' THEN loss END, templates, attempts, nullif(reason, ''), nullif(raw, ''), model,
    prompt_tokens, completion_tokens, created FROM forks ORDER BY rowid;
DROP TABLE forks;
ALTER TABLE new_forks RENAME TO forks;
CREATE INDEX forks_of_fusion ON forks(fusion_id);
"""

_RUN = """
CREATE TABLE datasets (                 -- which rows each data set holds
    name TEXT NOT NULL,
    position INTEGER NOT NULL,
    kind TEXT NOT NULL CHECK (kind IN ('HQ', 'LQ', 'intra', 'inter')),
    id TEXT NOT NULL,                   -- a row of the pool, or a fused row
    made_by TEXT NOT NULL,              -- the command that made it
    PRIMARY KEY (name, position)
);
CREATE INDEX datasets_of_row ON datasets(id);
INSERT INTO datasets SELECT 'hq+entp', position, kind, id, 'blend' FROM blend ORDER BY position;
DROP TABLE blend;

-- what marks say of the tables before does not hold any more: each stage brings itself up to date
DROP TABLE stages;
CREATE TABLE stages (                   -- one mark a stage, written last
    name TEXT PRIMARY KEY,
    inputs TEXT NOT NULL,               -- hash of what it read
    settings TEXT NOT NULL,             -- hash of the settings it depends on
    outputs TEXT NOT NULL,              -- hash of what it left behind
    books TEXT NOT NULL,                -- JSON: inputs, outputs, rejected, failed, pending
    findings TEXT NOT NULL,             -- JSON: what it found
    finished TEXT NOT NULL              -- UTC
);
CREATE TABLE run (                      -- one record
    run_id TEXT PRIMARY KEY             -- a name that no other run has: UUID4
);
"""


def to_typed_records(connection: sqlite3.Connection) -> None:
    """Bring a run from layout 4 to 5. The stages' marks go; what they left stays."""
    settings = _settings(connection)
    for statement in statements(_TABLES.replace(":tries", str(int(settings.pop("tries", 1))))):
        connection.execute(statement)
    for script in (_FUSIONS, _RUN):
        for statement in statements(script):
            connection.execute(statement)
    connection.execute("INSERT INTO run (run_id) VALUES (?)", (str(uuid.uuid4()),))
    if settings:
        _store(connection, _by_names(settings))


def _settings(connection: sqlite3.Connection) -> dict[str, Any]:
    found = connection.execute("SELECT name, value FROM settings ORDER BY rowid").fetchall()
    try:
        return {name: json.loads(value) for name, value in found}
    except ValueError as error:
        message = f"the settings of the run cannot be read: {error}"
        raise RunFolderError(message, DAMAGED) from error


def _by_names(settings: dict[str, Any]) -> dict[str, Any]:
    """Settings with the data set by its name, and without what concerned one command alone."""
    percent = float(settings.pop("blend_percent", 100))
    kinds = settings.pop("blend_kinds", ["intra", "inter"])
    settings.pop("pairs", None)
    if "exclude" in settings:
        excluded = settings.pop("exclude")
        settings["include"] = [name for name in get_args(ContentClass) if name not in excluded]
    name = f"hq+{kinds[0]}" if len(kinds) == 1 else "hq+entp"
    if not kinds:
        percent = 0.0
    share = "" if percent == 100 else f"@{int(percent) if percent.is_integer() else percent}%"
    return {**settings, "sets": [name + share]}


def _store(connection: sqlite3.Connection, settings: dict[str, Any]) -> None:
    connection.execute("DELETE FROM settings")
    connection.executemany(
        "INSERT INTO settings (name, value) VALUES (?, ?)",
        [(name, json.dumps(value, ensure_ascii=False)) for name, value in settings.items()],
    )
