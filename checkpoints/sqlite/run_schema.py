"""The tables of run.db, as numbered migrations."""

from __future__ import annotations

from .. import RUN_FILE
from .migrations import Layout, Migration
from .typed_records import to_typed_records

TABLES = """
CREATE TABLE settings (
    name TEXT PRIMARY KEY,
    value TEXT NOT NULL                 -- JSON
);
CREATE TABLE stages (                   -- one mark a stage, written last
    name TEXT PRIMARY KEY,
    inputs TEXT NOT NULL,               -- hash of the outputs of the stages it reads
    settings TEXT NOT NULL,             -- hash of the settings it depends on
    outputs TEXT NOT NULL,              -- hash of what it left behind
    books TEXT NOT NULL,                -- JSON: inputs, outputs, rejected, failed, pending
    report TEXT NOT NULL,               -- JSON: what the command prints
    finished TEXT NOT NULL              -- UTC
);
CREATE TABLE rows (
    id TEXT PRIMARY KEY,
    position INTEGER NOT NULL UNIQUE,   -- row of the embeddings file
    source TEXT NOT NULL,
    file TEXT NOT NULL,
    line INTEGER NOT NULL,
    turns TEXT NOT NULL,                -- JSON
    content TEXT NOT NULL,              -- hash of the turns
    pool_ratings TEXT NOT NULL          -- JSON: rater -> rating, as the pool gives them
);
CREATE TABLE rejected_rows (
    file TEXT NOT NULL,
    line INTEGER NOT NULL,
    found TEXT NOT NULL,
    expected TEXT NOT NULL
);
CREATE TABLE ratings (
    row_id TEXT PRIMARY KEY,
    rater TEXT NOT NULL,
    origin TEXT NOT NULL CHECK (origin IN ('pool', 'model')),
    rating INTEGER,                     -- 1-10; NULL where the pool brings scores, or where unrated
    score INTEGER,                      -- 0-5; NULL where unrated
    criteria TEXT NOT NULL,             -- JSON: rarity, complexity, informativeness of a model's rating
    reason TEXT NOT NULL,               -- why the row is unrated
    raw TEXT NOT NULL                   -- the reply that could not be used
);
CREATE TABLE embedded (                 -- what the embeddings file holds
    position INTEGER PRIMARY KEY,
    content TEXT NOT NULL,              -- hash of the turns
    file TEXT NOT NULL
);
CREATE TABLE scores (
    row_id TEXT PRIMARY KEY,
    score INTEGER NOT NULL,             -- 0-5, as rated
    corrected INTEGER NOT NULL,         -- 0-5
    confidence REAL NOT NULL,           -- probability of the corrected score
    quality TEXT NOT NULL CHECK (quality IN ('LQ', 'HQ')),
    content_class TEXT                  -- math, code, table or NULL
);
CREATE TABLE clusters (                 -- every low-quality row that takes part, once
    row_id TEXT PRIMARY KEY,
    cluster INTEGER NOT NULL,
    role TEXT NOT NULL CHECK (role IN ('centre', 'member')),
    rank INTEGER                        -- place among the representatives, most central first; NULL: none
);
CREATE TABLE pairs (
    id TEXT PRIMARY KEY,                -- also the id of its fusion
    position INTEGER NOT NULL UNIQUE,
    kind TEXT NOT NULL CHECK (kind IN ('intra', 'inter')),
    cluster INTEGER,
    depth INTEGER NOT NULL,
    left_kind TEXT NOT NULL CHECK (left_kind IN ('row', 'fusion')),
    left_id TEXT NOT NULL,
    right_kind TEXT NOT NULL CHECK (right_kind IN ('row', 'fusion')),
    right_id TEXT NOT NULL
);
CREATE TABLE fusions (
    id TEXT PRIMARY KEY,
    asked TEXT NOT NULL,                -- hash of operands' texts, settings and templates
    status TEXT NOT NULL CHECK (status IN ('done', 'failed')),
    reason TEXT NOT NULL,
    domains TEXT NOT NULL,              -- JSON: the domain report
    strategies TEXT NOT NULL,           -- JSON
    carried TEXT,                       -- the fused row that a later fusion of the cluster takes up
    calls TEXT NOT NULL                 -- JSON: domain analysis and merge
);
CREATE TABLE fused_rows (               -- one a variant
    id TEXT PRIMARY KEY,
    fusion_id TEXT NOT NULL REFERENCES fusions(id) ON DELETE CASCADE,
    variant INTEGER NOT NULL,
    strategy TEXT NOT NULL,
    status TEXT NOT NULL CHECK (status IN ('fused', 'failed')),
    turns TEXT NOT NULL,                -- JSON
    loss INTEGER NOT NULL,
    templates TEXT NOT NULL,            -- JSON: the path of templates
    attempts TEXT NOT NULL,             -- JSON: every attempt with text, report, loss and calls
    reason TEXT NOT NULL,
    raw TEXT NOT NULL,
    model TEXT NOT NULL,
    prompt_tokens INTEGER NOT NULL,
    completion_tokens INTEGER NOT NULL
);
CREATE INDEX fused_rows_of_fusion ON fused_rows(fusion_id);
CREATE TABLE lineage (                  -- which rows of the pool a fused row was made from
    fused_id TEXT NOT NULL REFERENCES fused_rows(id) ON DELETE CASCADE,
    row_id TEXT NOT NULL,
    PRIMARY KEY (fused_id, row_id)
);
CREATE INDEX lineage_of_row ON lineage(row_id);
CREATE TABLE blend (
    position INTEGER PRIMARY KEY,
    kind TEXT NOT NULL CHECK (kind IN ('HQ', 'intra', 'inter')),
    id TEXT NOT NULL UNIQUE
);
CREATE TABLE exports (                  -- files that this run has written and may write again
    path TEXT PRIMARY KEY
);
"""

AUDITS = """
CREATE TABLE audits (                   -- second ratings of some rows, each independent of the first
    row_id TEXT PRIMARY KEY,
    rater TEXT NOT NULL,
    rating INTEGER,                     -- 1-10; NULL where the second rating failed
    score INTEGER,                      -- 0-5; likewise
    criteria TEXT NOT NULL,             -- JSON: rarity, complexity, informativeness
    reason TEXT NOT NULL,               -- why there is no second rating
    raw TEXT NOT NULL                   -- the reply that could not be used
);
"""

FORKS = """
-- JSON: the model's identity, profile, templates, tries and settings that a fusion was made with
ALTER TABLE fusions ADD COLUMN recipe TEXT NOT NULL DEFAULT '{}';
CREATE TABLE forks (                    -- variants run on from an earlier point, beside the original
    id TEXT PRIMARY KEY,
    fusion_id TEXT NOT NULL,            -- no reference: a fork outlives its fusion's being made again
    variant INTEGER NOT NULL,
    cycle INTEGER NOT NULL,
    attempt INTEGER NOT NULL,           -- the attempt that was made again
    changes TEXT NOT NULL,              -- JSON: what was set
    strategy TEXT NOT NULL,
    status TEXT NOT NULL CHECK (status IN ('fused', 'failed')),
    turns TEXT NOT NULL,                -- JSON
    loss INTEGER NOT NULL,
    templates TEXT NOT NULL,            -- JSON: the path of templates
    attempts TEXT NOT NULL,             -- JSON: every attempt, those before the point included
    reason TEXT NOT NULL,
    raw TEXT NOT NULL,
    model TEXT NOT NULL,
    prompt_tokens INTEGER NOT NULL,
    completion_tokens INTEGER NOT NULL,
    created TEXT NOT NULL               -- UTC
);
CREATE INDEX forks_of_fusion ON forks(fusion_id);
CREATE TABLE code (                     -- which ENTP last asked a model for this run
    name TEXT PRIMARY KEY,
    value TEXT NOT NULL                 -- JSON
);
"""

UNKNOWN_CONFIDENCE = """
ALTER TABLE scores ADD COLUMN sureness REAL;
UPDATE scores SET sureness = confidence
WHERE NOT EXISTS (SELECT 1 FROM stages WHERE name = 'score' AND json_extract(report, '$.abstains'));
ALTER TABLE scores DROP COLUMN confidence;
-- probability of the corrected score; NULL where the correction abstained and the score is the rating
ALTER TABLE scores RENAME COLUMN sureness TO confidence;
"""

RUN = Layout(
    file=RUN_FILE,
    tag="ENTR",
    migrations=(
        Migration("tables of a run", TABLES),
        Migration("second ratings", AUDITS),
        Migration("recipes, forks and code", FORKS),
        Migration("unknown confidence", UNKNOWN_CONFIDENCE),
        Migration("typed records", to_typed_records),
    ),
)
