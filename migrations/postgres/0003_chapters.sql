-- The chapters of episodes: named points on their listen-through curves.

INSERT INTO schema_compatibility VALUES (3, 1);

CREATE TABLE chapter (
    episode_id bigint NOT NULL REFERENCES episode,
    number integer NOT NULL CHECK (number > 0),
    start_seconds double precision NOT NULL,
    title text NOT NULL,
    PRIMARY KEY (episode_id, number)
);
COMMENT ON TABLE chapter IS 'Chapters of episodes, shared by all instances; those that a catalogue told last. An episode without rows has none, or none is known.';
COMMENT ON COLUMN chapter.episode_id IS 'The episode.';
COMMENT ON COLUMN chapter.number IS 'Its place among the episode''s chapters, by their start; 1 is the first.';
COMMENT ON COLUMN chapter.start_seconds IS 'Where it begins, in seconds of playing time, to the millisecond. May lie beyond the end of the episode.';
COMMENT ON COLUMN chapter.title IS 'Title for people; never empty.';
