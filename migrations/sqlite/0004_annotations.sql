-- Notes of what happened, which graphs show beside the numbers. The previous release leaves the table alone.

INSERT INTO schema_compatibility VALUES (4, 1);

-- What somebody noted down: deploys, outages, campaigns. Publications need no note: episode has them.
CREATE TABLE annotation (
    id INTEGER PRIMARY KEY,      -- key, in the order in which they were noted
    at TEXT NOT NULL,            -- when it happened, in UTC
    text TEXT NOT NULL,          -- what happened
    tags TEXT NOT NULL DEFAULT '' -- words to choose annotations by, separated by commas; empty without any
) STRICT;
CREATE INDEX annotation_at ON annotation (at);
