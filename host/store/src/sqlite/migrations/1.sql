-- Times are nanoseconds since 1970, UTC. The codes of states and outcomes are those of `codes.rs`.

CREATE TABLE epochs (
    epoch INTEGER PRIMARY KEY,
    machine TEXT NOT NULL,
    boot TEXT NOT NULL,
    process INTEGER NOT NULL,
    opened INTEGER NOT NULL,
    lease_until INTEGER NOT NULL,
    closed INTEGER
) STRICT;

-- The counts are of all runs that ever ended; `kept` is the number of ended runs that are stored.
CREATE TABLE tasks (
    id INTEGER PRIMARY KEY,
    task TEXT NOT NULL UNIQUE,
    schedule TEXT,
    anchor INTEGER,
    cursor INTEGER,
    paused INTEGER NOT NULL DEFAULT 0,
    enabled INTEGER,
    succeeded INTEGER NOT NULL DEFAULT 0,
    failed INTEGER NOT NULL DEFAULT 0,
    timed_out INTEGER NOT NULL DEFAULT 0,
    cancelled INTEGER NOT NULL DEFAULT 0,
    replaced INTEGER NOT NULL DEFAULT 0,
    parked INTEGER NOT NULL DEFAULT 0,
    skipped INTEGER NOT NULL DEFAULT 0,
    missed INTEGER NOT NULL DEFAULT 0,
    kept INTEGER NOT NULL DEFAULT 0
) STRICT;

CREATE TABLE edges (
    task INTEGER NOT NULL,
    upstream TEXT NOT NULL,
    consumed INTEGER,
    latest INTEGER,
    failure TEXT,
    PRIMARY KEY (task, upstream)
) STRICT, WITHOUT ROWID;

CREATE TABLE builds (
    id INTEGER PRIMARY KEY,
    build TEXT NOT NULL UNIQUE
) STRICT;

-- A run has its latest attempt with it, because most runs have one alone.
CREATE TABLE runs (
    run INTEGER PRIMARY KEY,
    task INTEGER NOT NULL,
    state INTEGER NOT NULL,
    cause INTEGER NOT NULL,
    nominal INTEGER,
    request INTEGER,
    key TEXT,
    since INTEGER NOT NULL,
    priority INTEGER NOT NULL,
    arguments TEXT,
    until INTEGER,
    stopping INTEGER,
    attempts INTEGER NOT NULL DEFAULT 0,
    interruptions INTEGER NOT NULL DEFAULT 0,
    crashes INTEGER NOT NULL DEFAULT 0,
    starts INTEGER NOT NULL DEFAULT 0,
    attempt INTEGER,
    epoch INTEGER,
    build INTEGER,
    attempt_began INTEGER,
    attempt_ended INTEGER,
    attempt_outcome INTEGER,
    attempt_error TEXT,
    ended INTEGER,
    outcome INTEGER,
    reason TEXT,
    because_of INTEGER,
    result TEXT
) STRICT;

CREATE UNIQUE INDEX runs_nominal ON runs (task, nominal) WHERE nominal IS NOT NULL;
CREATE INDEX runs_task ON runs (task, run);
CREATE INDEX runs_live ON runs (run) WHERE state < 5;
CREATE INDEX runs_unsuccessful ON runs (outcome, run) WHERE outcome > 0;

CREATE TABLE earlier_attempts (
    run INTEGER NOT NULL,
    start INTEGER NOT NULL,
    attempt INTEGER NOT NULL,
    epoch INTEGER NOT NULL,
    build INTEGER NOT NULL,
    began INTEGER NOT NULL,
    ended INTEGER,
    outcome INTEGER,
    error TEXT,
    PRIMARY KEY (run, start)
) STRICT, WITHOUT ROWID;

CREATE TABLE logs (
    run INTEGER NOT NULL,
    number INTEGER NOT NULL,
    at INTEGER NOT NULL,
    level INTEGER NOT NULL,
    message TEXT NOT NULL,
    PRIMARY KEY (run, number)
) STRICT, WITHOUT ROWID;

CREATE TABLE missed (
    task INTEGER NOT NULL,
    number INTEGER NOT NULL,
    at INTEGER NOT NULL,
    count INTEGER NOT NULL,
    is_counted INTEGER NOT NULL,
    first INTEGER NOT NULL,
    last INTEGER NOT NULL,
    PRIMARY KEY (task, number)
) STRICT, WITHOUT ROWID;

-- One row: how many there are, kept with every change.
CREATE TABLE totals (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    runs INTEGER NOT NULL,
    live_runs INTEGER NOT NULL,
    log_lines INTEGER NOT NULL,
    next_run INTEGER NOT NULL
) STRICT;
INSERT INTO totals VALUES (1, 0, 0, 0, 1);
