-- Downloads, fates and the journal position they cover. The tables and columns are those of Postgres; a day
-- is text as 2026-11-01, an instant or hour is text in UTC as 2026-11-01T05:00:00Z.
--
-- A migration must leave the previous release working: add tables, columns with defaults, views and
-- indexes; never rename, drop or retype what an older binary reads or writes. Each migration adds its row
-- to schema_compatibility. What has to go is dropped one release after nothing uses it any more.

-- Which castmeter binaries may use this schema. A binary that does not know a migration runs only if that
-- migration has a row here which allows it.
CREATE TABLE schema_compatibility (
    migration INTEGER PRIMARY KEY, -- version of the migration, as in _sqlx_migrations
    works_from INTEGER NOT NULL    -- the migration that a binary must know at least so that it works with this one applied
) STRICT;
INSERT INTO schema_compatibility VALUES (1, 1);

-- One row for each journal that writes here: how far it has been taken into account, and who may write next.
CREATE TABLE instance (
    id INTEGER PRIMARY KEY,          -- the instance key in all counted rows
    journal_id TEXT NOT NULL UNIQUE, -- the journal's identity (a UUID), made when its folder was
    name TEXT NOT NULL,              -- what the operator calls this instance; a label only
    epoch INTEGER NOT NULL,          -- grows by one with each process that takes over the journal; only the newest may commit
    position INTEGER NOT NULL CHECK (position >= 0),       -- number of journal records, from the beginning, whose lines are in the counted rows
    claimed_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%SZ', 'now')), -- when the process that writes now took over
    committed_at TEXT                -- when it last committed
) STRICT;

-- Podcasts.
CREATE TABLE show (
    id INTEGER PRIMARY KEY,    -- key, meaningless outside this database
    slug TEXT NOT NULL UNIQUE, -- the catalogue's name of the show; stays the same
    title TEXT                 -- null where no catalogue ever gave one
) STRICT;

-- Episodes. A null was never known; what a catalogue stops telling stays as it was.
CREATE TABLE episode (
    id INTEGER PRIMARY KEY,                       -- key, meaningless outside this database
    show_id INTEGER NOT NULL REFERENCES show (id), -- the episode's show
    slug TEXT NOT NULL,                           -- the catalogue's name of the episode, unique in its show; stays the same
    path TEXT NOT NULL,                           -- path of the file, percent-decoded once, without query
    title TEXT,                                   -- title for people
    published_at TEXT,                            -- when it was published
    bytes INTEGER,                                -- length of the file in bytes
    duration_seconds REAL,                        -- playing time in seconds
    UNIQUE (show_id, slug)
) STRICT;

-- Downloads by episode and UTC hour. One row for each instance: with several, read episode_hour_total.
CREATE TABLE episode_hour (
    episode_id INTEGER NOT NULL REFERENCES episode (id),   -- the episode
    hour TEXT NOT NULL,                                    -- start of the hour of a session's earliest valid request
    downloads INTEGER NOT NULL,                            -- sessions that are downloads
    instance_id INTEGER NOT NULL REFERENCES instance (id), -- the instance that counted this row
    PRIMARY KEY (episode_id, hour, instance_id)
) STRICT, WITHOUT ROWID;

-- What was counted by episode and UTC day. One row for each instance: with several, read episode_day_total.
CREATE TABLE episode_day (
    episode_id INTEGER NOT NULL REFERENCES episode (id),   -- the episode
    day TEXT NOT NULL,                                     -- UTC day
    downloads INTEGER NOT NULL,                            -- sessions that are downloads
    listeners INTEGER NOT NULL,                            -- distinct listeners with at least one valid request
    requests INTEGER NOT NULL,                             -- valid lines
    delivered_bytes INTEGER NOT NULL,                      -- bytes delivered to sessions, each byte of the file once a session, downloads or not
    body_bytes INTEGER NOT NULL,                           -- the older way: body bytes of every line for the episode, bots included
    addresses INTEGER NOT NULL,                            -- the older way: distinct addresses of those lines
    instance_id INTEGER NOT NULL REFERENCES instance (id), -- the instance that counted this row
    PRIMARY KEY (episode_id, day, instance_id)
) STRICT, WITHOUT ROWID;

-- What became of every line received: each has exactly one fate. One row for each instance: with several,
-- read fate_day_total.
CREATE TABLE fate_day (
    day TEXT NOT NULL,                                    -- UTC day of the request's start, or of the receipt of a line without a readable one
    source TEXT NOT NULL,                                 -- the configured source that sent the lines
    fate TEXT NOT NULL,                                   -- valid, ignored or malformed
    reason TEXT,                                          -- why it was ignored, or what was wrong with it; null for valid
    requests INTEGER NOT NULL,                            -- lines
    body_bytes INTEGER NOT NULL,                          -- body bytes these lines claim
    instance_id INTEGER NOT NULL REFERENCES instance (id) -- the instance that counted this row
) STRICT;
-- Over an expression: a null reason must be found again, and nulls are distinct in an index.
CREATE UNIQUE INDEX fate_day_key ON fate_day (day, source, fate, coalesce(reason, ''), instance_id);

-- What adds up over instances. Distinct counts do not: where several instances saw an episode on one day
-- they are null, not wrong.
CREATE VIEW episode_hour_total AS
SELECT episode_id, hour, sum(downloads) AS downloads
FROM episode_hour
GROUP BY episode_id, hour;

CREATE VIEW episode_day_total AS
SELECT
    episode_id,
    day,
    sum(downloads) AS downloads,
    CASE WHEN count(*) = 1 THEN min(listeners) END AS listeners,
    sum(requests) AS requests,
    sum(delivered_bytes) AS delivered_bytes,
    sum(body_bytes) AS body_bytes,
    CASE WHEN count(*) = 1 THEN min(addresses) END AS addresses
FROM episode_day
GROUP BY episode_id, day;

CREATE VIEW fate_day_total AS
SELECT day, source, fate, reason, sum(requests) AS requests, sum(body_bytes) AS body_bytes
FROM fate_day
GROUP BY day, source, fate, reason;
