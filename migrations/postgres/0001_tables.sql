-- Downloads, fates and the journal position they cover. Postgres 13 or newer.
--
-- A migration must leave the previous release working: add tables, columns with defaults, views and
-- indexes; never rename, drop or retype what an older binary reads or writes. Each migration adds its row
-- to schema_compatibility. What has to go is dropped one release after nothing uses it any more.

CREATE TABLE schema_compatibility (
    migration bigint PRIMARY KEY,
    works_from bigint NOT NULL
);
COMMENT ON TABLE schema_compatibility IS 'Which castmeter binaries may use this schema. A binary that does not know a migration runs only if that migration has a row here which allows it.';
COMMENT ON COLUMN schema_compatibility.migration IS 'Version of the migration, as in _sqlx_migrations.';
COMMENT ON COLUMN schema_compatibility.works_from IS 'The migration that a binary must know at least so that it works with this one applied.';
INSERT INTO schema_compatibility VALUES (1, 1);

CREATE TABLE instance (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    journal_id uuid NOT NULL UNIQUE,
    name text NOT NULL,
    epoch bigint NOT NULL,
    position bigint NOT NULL CHECK (position >= 0),
    claimed_at timestamptz NOT NULL DEFAULT now(),
    committed_at timestamptz
);
COMMENT ON TABLE instance IS 'One row for each journal that writes here: how far it has been taken into account, and who may write next.';
COMMENT ON COLUMN instance.id IS 'The instance key in all counted rows.';
COMMENT ON COLUMN instance.journal_id IS 'The journal''s identity, made when its folder was.';
COMMENT ON COLUMN instance.name IS 'What the operator calls this instance; a label only.';
COMMENT ON COLUMN instance.epoch IS 'Grows by one with each process that takes over the journal. Only the holder of the newest epoch may commit.';
COMMENT ON COLUMN instance.position IS 'Number of journal records, from the beginning, whose lines are in the counted rows.';
COMMENT ON COLUMN instance.claimed_at IS 'When the process that writes now took over.';
COMMENT ON COLUMN instance.committed_at IS 'When it last committed.';

CREATE TABLE show (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    slug text NOT NULL UNIQUE,
    title text
);
COMMENT ON TABLE show IS 'Podcasts, shared by all instances.';
COMMENT ON COLUMN show.id IS 'Key, meaningless outside this database.';
COMMENT ON COLUMN show.slug IS 'The catalogue''s name of the show; stays the same.';
COMMENT ON COLUMN show.title IS 'Null where no catalogue ever gave one.';

CREATE TABLE episode (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    show_id bigint NOT NULL REFERENCES show,
    slug text NOT NULL,
    path text NOT NULL,
    title text,
    published_at timestamptz,
    bytes bigint,
    duration_seconds double precision,
    UNIQUE (show_id, slug)
);
COMMENT ON TABLE episode IS 'Episodes, shared by all instances. A null was never known; what a catalogue stops telling stays as it was.';
COMMENT ON COLUMN episode.id IS 'Key, meaningless outside this database.';
COMMENT ON COLUMN episode.show_id IS 'The episode''s show.';
COMMENT ON COLUMN episode.slug IS 'The catalogue''s name of the episode, unique in its show; stays the same.';
COMMENT ON COLUMN episode.path IS 'Path of the file, percent-decoded once, without query.';
COMMENT ON COLUMN episode.title IS 'Title for people.';
COMMENT ON COLUMN episode.published_at IS 'When it was published.';
COMMENT ON COLUMN episode.bytes IS 'Length of the file in bytes.';
COMMENT ON COLUMN episode.duration_seconds IS 'Playing time in seconds.';

CREATE TABLE episode_hour (
    episode_id bigint NOT NULL REFERENCES episode,
    hour timestamptz NOT NULL,
    downloads bigint NOT NULL,
    instance_id bigint NOT NULL REFERENCES instance,
    PRIMARY KEY (episode_id, hour, instance_id)
) PARTITION BY RANGE (hour);
COMMENT ON TABLE episode_hour IS 'Downloads by episode and UTC hour. One row for each instance: with several, read episode_hour_total.';
COMMENT ON COLUMN episode_hour.episode_id IS 'The episode.';
COMMENT ON COLUMN episode_hour.hour IS 'Start of the hour of a session''s earliest valid request.';
COMMENT ON COLUMN episode_hour.downloads IS 'Sessions that are downloads.';
COMMENT ON COLUMN episode_hour.instance_id IS 'The instance that counted this row.';

CREATE TABLE episode_day (
    episode_id bigint NOT NULL REFERENCES episode,
    day date NOT NULL,
    downloads bigint NOT NULL,
    listeners bigint NOT NULL,
    requests bigint NOT NULL,
    delivered_bytes bigint NOT NULL,
    body_bytes bigint NOT NULL,
    addresses bigint NOT NULL,
    instance_id bigint NOT NULL REFERENCES instance,
    PRIMARY KEY (episode_id, day, instance_id)
) PARTITION BY RANGE (day);
COMMENT ON TABLE episode_day IS 'What was counted by episode and UTC day. One row for each instance: with several, read episode_day_total.';
COMMENT ON COLUMN episode_day.episode_id IS 'The episode.';
COMMENT ON COLUMN episode_day.day IS 'UTC day.';
COMMENT ON COLUMN episode_day.downloads IS 'Sessions that are downloads.';
COMMENT ON COLUMN episode_day.listeners IS 'Distinct listeners with at least one valid request.';
COMMENT ON COLUMN episode_day.requests IS 'Valid lines.';
COMMENT ON COLUMN episode_day.delivered_bytes IS 'Bytes delivered to sessions, each byte of the file once a session, downloads or not.';
COMMENT ON COLUMN episode_day.body_bytes IS 'The older way: body bytes of every line for the episode, bots included.';
COMMENT ON COLUMN episode_day.addresses IS 'The older way: distinct addresses of those lines.';
COMMENT ON COLUMN episode_day.instance_id IS 'The instance that counted this row.';

CREATE TABLE fate_day (
    day date NOT NULL,
    source text NOT NULL,
    fate text NOT NULL,
    reason text,
    requests bigint NOT NULL,
    body_bytes bigint NOT NULL,
    instance_id bigint NOT NULL REFERENCES instance
);
-- An index over an expression: a null reason must be found again, and NULLS NOT DISTINCT needs Postgres 15.
CREATE UNIQUE INDEX fate_day_key ON fate_day (day, source, fate, coalesce(reason, ''), instance_id);
COMMENT ON TABLE fate_day IS 'What became of every line received: each has exactly one fate. One row for each instance: with several, read fate_day_total.';
COMMENT ON COLUMN fate_day.day IS 'UTC day of the request''s start, or of the receipt of a line without a readable one.';
COMMENT ON COLUMN fate_day.source IS 'The configured source that sent the lines.';
COMMENT ON COLUMN fate_day.fate IS 'valid, ignored or malformed.';
COMMENT ON COLUMN fate_day.reason IS 'Why it was ignored, or what was wrong with it; null for valid.';
COMMENT ON COLUMN fate_day.requests IS 'Lines.';
COMMENT ON COLUMN fate_day.body_bytes IS 'Body bytes these lines claim.';
COMMENT ON COLUMN fate_day.instance_id IS 'The instance that counted this row.';

-- What adds up over instances. Distinct counts do not: where several instances saw an episode on one day
-- they are null, not wrong.
CREATE VIEW episode_hour_total AS
SELECT episode_id, hour, sum(downloads)::bigint AS downloads
FROM episode_hour
GROUP BY episode_id, hour;
COMMENT ON VIEW episode_hour_total IS 'episode_hour, added up over all instances.';

CREATE VIEW episode_day_total AS
SELECT
    episode_id,
    day,
    sum(downloads)::bigint AS downloads,
    CASE WHEN count(*) = 1 THEN min(listeners) END AS listeners,
    sum(requests)::bigint AS requests,
    sum(delivered_bytes)::bigint AS delivered_bytes,
    sum(body_bytes)::bigint AS body_bytes,
    CASE WHEN count(*) = 1 THEN min(addresses) END AS addresses
FROM episode_day
GROUP BY episode_id, day;
COMMENT ON VIEW episode_day_total IS 'episode_day, added up over all instances; listeners and addresses are null where more than one instance has a row.';

CREATE VIEW fate_day_total AS
SELECT day, source, fate, reason, sum(requests)::bigint AS requests, sum(body_bytes)::bigint AS body_bytes
FROM fate_day
GROUP BY day, source, fate, reason;
COMMENT ON VIEW fate_day_total IS 'fate_day, added up over all instances.';

-- One partition a month, made before the first row of it is written. Everything before 2010 shares one, so
-- that lines with absurd dates cannot make partitions without bound.
CREATE TABLE episode_hour_before_2010 PARTITION OF episode_hour FOR VALUES FROM (MINVALUE) TO ('2010-01-01 00:00:00+00');
CREATE TABLE episode_day_before_2010 PARTITION OF episode_day FOR VALUES FROM (MINVALUE) TO ('2010-01-01');

CREATE FUNCTION castmeter_add_month(month date) RETURNS void
LANGUAGE plpgsql SET timezone = 'UTC' AS $$
DECLARE
    low date := date_trunc('month', month::timestamp)::date;
    high date := (low + interval '1 month')::date;
    parent text;
    part text;
BEGIN
    FOREACH parent IN ARRAY ARRAY['episode_hour', 'episode_day'] LOOP
        part := parent || to_char(low, '_YYYY_MM');
        CONTINUE WHEN low < '2010-01-01' OR to_regclass(part) IS NOT NULL;
        -- Attaching locks what the foreign keys refer to; the same order as a commit takes them. Reads go on.
        LOCK TABLE instance, episode IN SHARE ROW EXCLUSIVE MODE;
        CONTINUE WHEN to_regclass(part) IS NOT NULL;
        -- Room in each page, so that counting up a row does not touch the indexes.
        EXECUTE format('CREATE TABLE %I (LIKE %I INCLUDING ALL) WITH (fillfactor = 80)', part, parent);
        EXECUTE format('ALTER TABLE %I ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)', parent, part, low, high);
    END LOOP;
END $$;
COMMENT ON FUNCTION castmeter_add_month(date) IS 'Makes the partitions of the month that holds the given day, if they are missing.';
