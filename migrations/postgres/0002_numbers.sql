-- What a publisher asks for beside downloads: launch pace, listen-through, slices, reach, subscribers, exclusions and
-- the CDN's own traffic. Rows are signed sums, one for each instance, as those of the first migration; the exceptions
-- say so. The previous release goes on working: it leaves the new tables and columns alone.

INSERT INTO schema_compatibility VALUES (2, 1);

ALTER TABLE episode_day
    ADD COLUMN bulk_downloads bigint NOT NULL DEFAULT 0,
    ADD COLUMN progressive_downloads bigint NOT NULL DEFAULT 0;
COMMENT ON COLUMN episode_day.bulk_downloads IS 'Downloads that were fetched as a file: one request delivered at least 90 % of it, or at least 99 % came in less than a quarter of the playing time.';
COMMENT ON COLUMN episode_day.progressive_downloads IS 'All other downloads: fetched bit by bit, as a player does.';

CREATE TABLE launch_hour (
    episode_id bigint NOT NULL REFERENCES episode,
    age_hours integer NOT NULL CHECK (age_hours BETWEEN 0 AND 719),
    downloads bigint NOT NULL,
    instance_id bigint NOT NULL REFERENCES instance,
    PRIMARY KEY (episode_id, age_hours, instance_id)
) WITH (fillfactor = 80);
COMMENT ON TABLE launch_hour IS 'Downloads by whole hour since publication, for the first 720 hours (30 days). At most 720 rows for each episode and instance.';
COMMENT ON COLUMN launch_hour.episode_id IS 'The episode. Without a publication date it has no rows.';
COMMENT ON COLUMN launch_hour.age_hours IS 'Whole hours from publication to the session''s earliest valid request: 0 to 719. What began before publication is in no row.';
COMMENT ON COLUMN launch_hour.downloads IS 'Sessions that are downloads.';
COMMENT ON COLUMN launch_hour.instance_id IS 'The instance that counted this row.';

CREATE TABLE listen_bin (
    episode_id bigint NOT NULL REFERENCES episode,
    bin integer NOT NULL CHECK (bin BETWEEN 0 AND 99),
    covered bigint NOT NULL,
    furthest bigint NOT NULL,
    instance_id bigint NOT NULL REFERENCES instance,
    PRIMARY KEY (episode_id, bin, instance_id)
) WITH (fillfactor = 80);
COMMENT ON TABLE listen_bin IS 'Listen-through of progressive downloads, of all time, by hundredths of the content (the file without its leading tag). An upper bound of listening: players read ahead. At most 100 rows for each episode and instance.';
COMMENT ON COLUMN listen_bin.episode_id IS 'The episode.';
COMMENT ON COLUMN listen_bin.bin IS 'Hundredth of the content, 0 to 99: bytes from content × bin ÷ 100 up to, without, content × (bin + 1) ÷ 100, both rounded down.';
COMMENT ON COLUMN listen_bin.covered IS 'Progressive downloads that received every byte of this bin.';
COMMENT ON COLUMN listen_bin.furthest IS 'Progressive downloads whose last byte of content lies in this bin. Their sum over all bins is the number of sessions behind the curve.';
COMMENT ON COLUMN listen_bin.instance_id IS 'The instance that counted this row.';

CREATE TABLE audience_slice (
    episode_id bigint NOT NULL REFERENCES episode,
    day date NOT NULL,
    country text NOT NULL,
    app text NOT NULL,
    device text NOT NULL,
    downloads bigint NOT NULL,
    instance_id bigint NOT NULL REFERENCES instance,
    PRIMARY KEY (episode_id, day, country, app, device, instance_id)
) PARTITION BY RANGE (day);
COMMENT ON TABLE audience_slice IS 'Downloads by country, app and device class together, so that any of them can be crossed.';
COMMENT ON COLUMN audience_slice.episode_id IS 'The episode.';
COMMENT ON COLUMN audience_slice.day IS 'UTC day of the session''s earliest valid request.';
COMMENT ON COLUMN audience_slice.country IS 'Two-letter code of the country of that request; empty where the log does not say.';
COMMENT ON COLUMN audience_slice.app IS 'App, browser or library by its user agent; unknown where no pattern matches.';
COMMENT ON COLUMN audience_slice.device IS 'phone, tablet, desktop, speaker, car, tv, watch, console or unknown.';
COMMENT ON COLUMN audience_slice.downloads IS 'Sessions that are downloads.';
COMMENT ON COLUMN audience_slice.instance_id IS 'The instance that counted this row.';

CREATE TABLE region_day (
    episode_id bigint NOT NULL REFERENCES episode,
    day date NOT NULL,
    country text NOT NULL,
    region text NOT NULL,
    downloads bigint NOT NULL,
    instance_id bigint NOT NULL REFERENCES instance,
    PRIMARY KEY (episode_id, day, country, region, instance_id)
) PARTITION BY RANGE (day);
COMMENT ON TABLE region_day IS 'Downloads by region of a country.';
COMMENT ON COLUMN region_day.episode_id IS 'The episode.';
COMMENT ON COLUMN region_day.day IS 'UTC day of the session''s earliest valid request.';
COMMENT ON COLUMN region_day.country IS 'Two-letter code of the country of that request; empty where the log does not say.';
COMMENT ON COLUMN region_day.region IS 'Region as the CDN names it (Fastly: the part of ISO 3166-2 after the country); empty where the log does not say, (other) past 16,000 different ones.';
COMMENT ON COLUMN region_day.downloads IS 'Sessions that are downloads.';
COMMENT ON COLUMN region_day.instance_id IS 'The instance that counted this row.';

CREATE TABLE referrer_day (
    episode_id bigint NOT NULL REFERENCES episode,
    day date NOT NULL,
    referrer text NOT NULL,
    downloads bigint NOT NULL,
    instance_id bigint NOT NULL REFERENCES instance,
    PRIMARY KEY (episode_id, day, referrer, instance_id)
) PARTITION BY RANGE (day);
COMMENT ON TABLE referrer_day IS 'Downloads by the class of page that led to them.';
COMMENT ON COLUMN referrer_day.episode_id IS 'The episode.';
COMMENT ON COLUMN referrer_day.day IS 'UTC day of the session''s earliest valid request.';
COMMENT ON COLUMN referrer_day.referrer IS 'Class of the Referer header of that request: none, own_site, player, search, social or other.';
COMMENT ON COLUMN referrer_day.downloads IS 'Sessions that are downloads.';
COMMENT ON COLUMN referrer_day.instance_id IS 'The instance that counted this row.';

CREATE TABLE exclusion_day (
    day date NOT NULL,
    episode_id bigint NOT NULL REFERENCES episode,
    reason text NOT NULL,
    rule text NOT NULL,
    requests bigint NOT NULL,
    body_bytes bigint NOT NULL,
    instance_id bigint NOT NULL REFERENCES instance,
    PRIMARY KEY (day, episode_id, reason, rule, instance_id)
) PARTITION BY RANGE (day);
COMMENT ON TABLE exclusion_day IS 'The ledger of exclusions: what was not counted for an episode, why, and by which rule in which version.';
COMMENT ON COLUMN exclusion_day.day IS 'UTC day of the request''s start.';
COMMENT ON COLUMN exclusion_day.episode_id IS 'The episode asked for.';
COMMENT ON COLUMN exclusion_day.reason IS 'The reason, as in fate_day.';
COMMENT ON COLUMN exclusion_day.rule IS 'What decided: the list with its version and the pattern or network in it, or the field with its value; empty where the reason says all, (other) past 16,000 different ones.';
COMMENT ON COLUMN exclusion_day.requests IS 'Lines.';
COMMENT ON COLUMN exclusion_day.body_bytes IS 'Body bytes of these lines.';
COMMENT ON COLUMN exclusion_day.instance_id IS 'The instance that counted this row.';

CREATE TABLE feed_day (
    feed text NOT NULL,
    service text NOT NULL,
    day date NOT NULL,
    subscribers bigint NOT NULL,
    clients bigint NOT NULL,
    instance_id bigint NOT NULL REFERENCES instance,
    PRIMARY KEY (feed, service, day, instance_id)
) WITH (fillfactor = 80);
COMMENT ON TABLE feed_day IS 'Who reads the configured feeds, from the user agents of requests answered with 200 or 304. subscribers is no sum: a greater number replaces it, and over instances it is the greatest.';
COMMENT ON COLUMN feed_day.feed IS 'Path of the feed, percent-decoded once.';
COMMENT ON COLUMN feed_day.service IS 'Name of the service that reported subscribers; empty in the row of all clients that report none, (other) past 1,000 different ones.';
COMMENT ON COLUMN feed_day.day IS 'UTC day of the requests'' starts.';
COMMENT ON COLUMN feed_day.subscribers IS 'Largest number of subscribers that the service reported on the day; 0 in the row without a service.';
COMMENT ON COLUMN feed_day.clients IS 'Distinct clients (network and user agent) that asked for the feed and reported no number; 0 in the rows of services.';
COMMENT ON COLUMN feed_day.instance_id IS 'The instance that counted this row.';

CREATE TABLE traffic_slice (
    episode_id bigint NOT NULL REFERENCES episode,
    day date NOT NULL,
    status integer NOT NULL,
    pop text NOT NULL,
    cache_state text NOT NULL,
    requests bigint NOT NULL,
    body_bytes bigint NOT NULL,
    instance_id bigint NOT NULL REFERENCES instance,
    PRIMARY KEY (episode_id, day, status, pop, cache_state, instance_id)
) PARTITION BY RANGE (day);
COMMENT ON TABLE traffic_slice IS 'What the CDN did: every request for an episode, counted or not, but for inner requests, those logged at a shield, and lines sent twice.';
COMMENT ON COLUMN traffic_slice.episode_id IS 'The episode.';
COMMENT ON COLUMN traffic_slice.day IS 'UTC day of the request''s start.';
COMMENT ON COLUMN traffic_slice.status IS 'HTTP status.';
COMMENT ON COLUMN traffic_slice.pop IS 'The CDN''s point of presence; empty where the log does not say, (other) past 1,000 different ones.';
COMMENT ON COLUMN traffic_slice.cache_state IS 'Cache state as logged; empty where the log does not say, (other) past 200 different ones.';
COMMENT ON COLUMN traffic_slice.requests IS 'Lines.';
COMMENT ON COLUMN traffic_slice.body_bytes IS 'Body bytes of these lines.';
COMMENT ON COLUMN traffic_slice.instance_id IS 'The instance that counted this row.';

CREATE TABLE reach_sketch (
    scope text NOT NULL,
    scope_id bigint NOT NULL,
    span text NOT NULL,
    starts date NOT NULL,
    sketch bytea NOT NULL,
    key_id bigint,
    instance_id bigint NOT NULL REFERENCES instance,
    PRIMARY KEY (scope, scope_id, span, starts, instance_id)
) PARTITION BY RANGE (starts);
COMMENT ON TABLE reach_sketch IS 'Sets of listeners as HyperLogLog sketches, which can be merged over days and instances. At most a minute behind the counted rows.';
COMMENT ON COLUMN reach_sketch.scope IS 'episode, show or all.';
COMMENT ON COLUMN reach_sketch.scope_id IS 'The episode''s or show''s key; 0 for all.';
COMMENT ON COLUMN reach_sketch.span IS 'As in reach_span; only those that are not merged from days: day, release_1d, release_7d, release_30d, all.';
COMMENT ON COLUMN reach_sketch.starts IS 'As in reach_span.';
COMMENT ON COLUMN reach_sketch.sketch IS 'Apache DataSketches HLL sketch in its standard serialised form, of 64-bit keyed hashes of listeners.';
COMMENT ON COLUMN reach_sketch.key_id IS 'Which key the listeners were hashed under: sketches of different keys cannot be merged. Null where one sketch holds listeners of several.';
COMMENT ON COLUMN reach_sketch.instance_id IS 'The instance that counted this row.';

CREATE TABLE reach_span (
    scope text NOT NULL,
    scope_id bigint NOT NULL,
    span text NOT NULL,
    starts date NOT NULL,
    listeners bigint,
    PRIMARY KEY (scope, scope_id, span, starts)
) WITH (fillfactor = 80);
COMMENT ON TABLE reach_span IS 'Distinct listeners with at least one valid request over the standard spans: exact up to 100, then with an error of at most 2 %. Absolute numbers over all instances, not sums: never add them up.';
COMMENT ON COLUMN reach_span.scope IS 'episode, show or all.';
COMMENT ON COLUMN reach_span.scope_id IS 'The episode''s or show''s key; 0 for all.';
COMMENT ON COLUMN reach_span.span IS 'day; week (from Monday), month, rolling_7 and rolling_28 (shows and all only); release_1d, release_7d and release_30d (episodes only): the first 24, 168 and 720 hours since publication; all: of all time.';
COMMENT ON COLUMN reach_span.starts IS 'The span''s first UTC day; a rolling span ends 6 or 27 days later, and has a row if somebody listened on its last day. 1970-01-01 for release spans and for all.';
COMMENT ON COLUMN reach_span.listeners IS 'Distinct listeners; null where the listener keys changed within the span, or differ between instances, so that nobody can tell.';

-- One partition a month for all tables that grow by the day.
CREATE TABLE audience_slice_before_2010 PARTITION OF audience_slice FOR VALUES FROM (MINVALUE) TO ('2010-01-01');
CREATE TABLE region_day_before_2010 PARTITION OF region_day FOR VALUES FROM (MINVALUE) TO ('2010-01-01');
CREATE TABLE referrer_day_before_2010 PARTITION OF referrer_day FOR VALUES FROM (MINVALUE) TO ('2010-01-01');
CREATE TABLE exclusion_day_before_2010 PARTITION OF exclusion_day FOR VALUES FROM (MINVALUE) TO ('2010-01-01');
CREATE TABLE traffic_slice_before_2010 PARTITION OF traffic_slice FOR VALUES FROM (MINVALUE) TO ('2010-01-01');
CREATE TABLE reach_sketch_before_2010 PARTITION OF reach_sketch FOR VALUES FROM (MINVALUE) TO ('2010-01-01');

CREATE OR REPLACE FUNCTION castmeter_add_month(month date) RETURNS void
LANGUAGE plpgsql SET timezone = 'UTC' AS $$
DECLARE
    low date := date_trunc('month', month::timestamp)::date;
    high date := (low + interval '1 month')::date;
    parent text;
    part text;
BEGIN
    FOREACH parent IN ARRAY ARRAY[
        'episode_hour', 'episode_day', 'audience_slice', 'region_day', 'referrer_day', 'exclusion_day', 'traffic_slice',
        'reach_sketch'
    ] LOOP
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
