-- Notes of what happened, which graphs show beside the numbers. The previous release leaves the table alone.

INSERT INTO schema_compatibility VALUES (4, 1);

CREATE TABLE annotation (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at timestamptz NOT NULL,
    text text NOT NULL,
    tags text NOT NULL DEFAULT ''
);
CREATE INDEX annotation_at ON annotation (at);
COMMENT ON TABLE annotation IS 'What somebody noted down: deploys, outages, campaigns. Publications need no note: episode has them.';
COMMENT ON COLUMN annotation.id IS 'Key, in the order in which they were noted.';
COMMENT ON COLUMN annotation.at IS 'When it happened.';
COMMENT ON COLUMN annotation.text IS 'What happened.';
COMMENT ON COLUMN annotation.tags IS 'Words to choose annotations by, separated by commas; empty without any.';
