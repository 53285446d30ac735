-- The chapters of episodes: named points on their listen-through curves.

INSERT INTO schema_compatibility VALUES (3, 1);

-- Chapters of episodes; those that the catalogue told last. An episode without rows has none, or none is known.
CREATE TABLE chapter (
    episode_id INTEGER NOT NULL REFERENCES episode (id), -- the episode
    number INTEGER NOT NULL CHECK (number > 0),          -- its place among the episode's chapters, by their start; 1 is the first
    start_seconds REAL NOT NULL,                         -- where it begins, in seconds of playing time, to the millisecond; may lie beyond the end of the episode
    title TEXT NOT NULL,                                 -- title for people; never empty
    PRIMARY KEY (episode_id, number)
) STRICT, WITHOUT ROWID;
