-- Views for dashboards and for whoever writes SQL: the public interface. Names and columns stay; docs/sql.md has a
-- question for each. They add up over instances; distinct counts come from reach_span. "show" and "episode" are slugs.
-- "So far" means up to counting_span.until. The previous release goes on working: triggers keep the two summary tables,
-- whoever writes the rows they sum up.

INSERT INTO schema_compatibility VALUES (5, 1);

CREATE INDEX episode_release ON episode (show_id, published_at, id);
CREATE INDEX exclusion_day_episode ON exclusion_day (episode_id, day);

CREATE TABLE whole_number (
    n integer PRIMARY KEY
);
INSERT INTO whole_number SELECT * FROM generate_series(0, 719);
COMMENT ON TABLE whole_number IS '0 to 719: the hours of a launch, the bins of a curve.';
COMMENT ON COLUMN whole_number.n IS 'Each number once.';

CREATE TABLE episode_total (
    episode_id bigint NOT NULL REFERENCES episode,
    downloads bigint NOT NULL,
    bulk_downloads bigint NOT NULL,
    progressive_downloads bigint NOT NULL,
    body_bytes bigint NOT NULL,
    instance_id bigint NOT NULL REFERENCES instance,
    PRIMARY KEY (episode_id, instance_id)
) WITH (fillfactor = 50);
COMMENT ON TABLE episode_total IS 'Sums of episode_day over all days. One row for each instance.';
COMMENT ON COLUMN episode_total.episode_id IS 'The episode.';
COMMENT ON COLUMN episode_total.downloads IS 'Sessions that are downloads.';
COMMENT ON COLUMN episode_total.bulk_downloads IS 'Those fetched as a file.';
COMMENT ON COLUMN episode_total.progressive_downloads IS 'Those fetched bit by bit.';
COMMENT ON COLUMN episode_total.body_bytes IS 'The older way: body bytes of every line for the episode.';
COMMENT ON COLUMN episode_total.instance_id IS 'The instance that counted this row.';

CREATE TABLE launch_total (
    episode_id bigint NOT NULL REFERENCES episode,
    age_hours integer NOT NULL,
    downloads bigint NOT NULL,
    cumulative bigint NOT NULL,
    PRIMARY KEY (episode_id, age_hours)
) WITH (fillfactor = 80);
COMMENT ON TABLE launch_total IS 'launch_hour over all instances, without gaps from hour 0 to the last hour that has a row there.';
COMMENT ON COLUMN launch_total.episode_id IS 'The episode.';
COMMENT ON COLUMN launch_total.age_hours IS 'Whole hours since publication.';
COMMENT ON COLUMN launch_total.downloads IS 'Downloads in that hour.';
COMMENT ON COLUMN launch_total.cumulative IS 'Downloads from publication to the end of that hour.';

CREATE FUNCTION castmeter_add_totals() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        INSERT INTO episode_total AS t
        SELECT episode_id, sum(downloads), sum(bulk_downloads), sum(progressive_downloads), sum(body_bytes), instance_id
        FROM new_rows
        GROUP BY episode_id, instance_id
        ON CONFLICT (episode_id, instance_id) DO UPDATE SET
            downloads = t.downloads + excluded.downloads,
            bulk_downloads = t.bulk_downloads + excluded.bulk_downloads,
            progressive_downloads = t.progressive_downloads + excluded.progressive_downloads,
            body_bytes = t.body_bytes + excluded.body_bytes;
        RETURN NULL;
    END IF;
    IF TG_OP = 'UPDATE' THEN
        UPDATE episode_total AS t SET
            downloads = t.downloads + n.downloads,
            bulk_downloads = t.bulk_downloads + n.bulk_downloads,
            progressive_downloads = t.progressive_downloads + n.progressive_downloads,
            body_bytes = t.body_bytes + n.body_bytes
        FROM (
            SELECT
                episode_id,
                instance_id,
                sum(downloads) AS downloads,
                sum(bulk_downloads) AS bulk_downloads,
                sum(progressive_downloads) AS progressive_downloads,
                sum(body_bytes) AS body_bytes
            FROM new_rows
            GROUP BY episode_id, instance_id
        ) AS n
        WHERE t.episode_id = n.episode_id AND t.instance_id = n.instance_id;
    END IF;
    UPDATE episode_total AS t SET
        downloads = t.downloads - o.downloads,
        bulk_downloads = t.bulk_downloads - o.bulk_downloads,
        progressive_downloads = t.progressive_downloads - o.progressive_downloads,
        body_bytes = t.body_bytes - o.body_bytes
    FROM (
        SELECT
            episode_id,
            instance_id,
            sum(downloads) AS downloads,
            sum(bulk_downloads) AS bulk_downloads,
            sum(progressive_downloads) AS progressive_downloads,
            sum(body_bytes) AS body_bytes
        FROM old_rows
        GROUP BY episode_id, instance_id
    ) AS o
    WHERE t.episode_id = o.episode_id AND t.instance_id = o.instance_id;
    RETURN NULL;
END $$;
COMMENT ON FUNCTION castmeter_add_totals() IS 'Keeps episode_total when episode_day changes.';
CREATE TRIGGER episode_day_inserted AFTER INSERT ON episode_day
    REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION castmeter_add_totals();
CREATE TRIGGER episode_day_updated AFTER UPDATE ON episode_day
    REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION castmeter_add_totals();
CREATE TRIGGER episode_day_deleted AFTER DELETE ON episode_day
    REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION castmeter_add_totals();
INSERT INTO episode_total
SELECT episode_id, sum(downloads), sum(bulk_downloads), sum(progressive_downloads), sum(body_bytes), instance_id
FROM episode_day
GROUP BY episode_id, instance_id;

CREATE FUNCTION castmeter_add_launches() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    episodes bigint[];
    ages integer[];
    changes bigint[];
BEGIN
    IF TG_OP = 'INSERT' THEN
        SELECT array_agg(episode_id), array_agg(age_hours), array_agg(n) INTO episodes, ages, changes
        FROM (SELECT episode_id, age_hours, sum(downloads) AS n FROM new_rows GROUP BY 1, 2) AS change;
    ELSIF TG_OP = 'DELETE' THEN
        SELECT array_agg(episode_id), array_agg(age_hours), array_agg(n) INTO episodes, ages, changes
        FROM (SELECT episode_id, age_hours, -sum(downloads) AS n FROM old_rows GROUP BY 1, 2) AS change;
    ELSE
        SELECT array_agg(episode_id), array_agg(age_hours), array_agg(n) INTO episodes, ages, changes
        FROM (
            SELECT episode_id, age_hours, sum(n) AS n
            FROM (
                SELECT episode_id, age_hours, downloads AS n FROM new_rows
                UNION ALL
                SELECT episode_id, age_hours, -downloads FROM old_rows
            ) AS both_rows
            GROUP BY 1, 2
        ) AS change;
    END IF;
    IF episodes IS NULL THEN
        RETURN NULL;
    END IF;
    -- The rows are those of all instances: one at a time, until its commit.
    PERFORM pg_advisory_xact_lock('launch_total'::regclass::oid::bigint);
    -- The hours without downloads before those that changed.
    INSERT INTO launch_total
    SELECT c.episode_id, a.age_hours, 0, coalesce(z.cumulative, 0)
    FROM (
        SELECT episode_id, max(age_hours) AS age_hours FROM unnest(episodes, ages) AS c (episode_id, age_hours) GROUP BY 1
    ) AS c
    LEFT JOIN LATERAL (
        SELECT age_hours, cumulative FROM launch_total AS t
        WHERE t.episode_id = c.episode_id
        ORDER BY age_hours DESC
        LIMIT 1
    ) AS z ON true
    CROSS JOIN LATERAL generate_series(coalesce(z.age_hours + 1, 0), c.age_hours) AS a (age_hours);
    UPDATE launch_total AS t SET downloads = t.downloads + c.downloads, cumulative = t.cumulative + c.so_far
    FROM (
        SELECT
            t.episode_id,
            t.age_hours,
            coalesce(c.downloads, 0) AS downloads,
            sum(coalesce(c.downloads, 0)) OVER (PARTITION BY t.episode_id ORDER BY t.age_hours) AS so_far
        FROM (
            SELECT episode_id, min(age_hours) AS age_hours FROM unnest(episodes, ages) AS c (episode_id, age_hours) GROUP BY 1
        ) AS first
        JOIN launch_total AS t ON t.episode_id = first.episode_id AND t.age_hours >= first.age_hours
        LEFT JOIN unnest(episodes, ages, changes) AS c (episode_id, age_hours, downloads)
            ON c.episode_id = t.episode_id AND c.age_hours = t.age_hours
    ) AS c
    WHERE t.episode_id = c.episode_id AND t.age_hours = c.age_hours AND (c.downloads <> 0 OR c.so_far <> 0);
    RETURN NULL;
END $$;
COMMENT ON FUNCTION castmeter_add_launches() IS 'Keeps launch_total when launch_hour changes.';
CREATE TRIGGER launch_hour_inserted AFTER INSERT ON launch_hour
    REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION castmeter_add_launches();
CREATE TRIGGER launch_hour_updated AFTER UPDATE ON launch_hour
    REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION castmeter_add_launches();
CREATE TRIGGER launch_hour_deleted AFTER DELETE ON launch_hour
    REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION castmeter_add_launches();

CREATE VIEW counting_span AS
SELECT
    (SELECT day FROM fate_day WHERE fate = 'valid' ORDER BY day LIMIT 1) AS since,
    (SELECT max(committed_at) FROM instance) AS until;
COMMENT ON VIEW counting_span IS 'How far the tables reach. One row.';
COMMENT ON COLUMN counting_span.since IS 'First UTC day with a valid line.';
COMMENT ON COLUMN counting_span.until IS 'When the tables were written last; views call it now.';

CREATE VIEW launch AS
SELECT
    s.slug AS show,
    e.slug AS episode,
    e.title,
    e.published_at,
    ((floor(extract(epoch FROM c.until)) - floor(extract(epoch FROM e.published_at)))::bigint / 3600)::integer AS age_hours,
    e.id AS episode_id,
    e.show_id,
    c.since::timestamp AT TIME ZONE 'UTC' AS counted_since
FROM show AS s
JOIN episode AS e ON e.show_id = s.id
CROSS JOIN counting_span AS c
WHERE e.published_at >= c.since::timestamp AT TIME ZONE 'UTC' AND e.published_at <= c.until;
COMMENT ON VIEW launch IS 'Episodes whose launch was seen: published on or after the first day that was counted, and not later than now.';
COMMENT ON COLUMN launch.show IS 'Slug of the show.';
COMMENT ON COLUMN launch.episode IS 'Slug of the episode.';
COMMENT ON COLUMN launch.title IS 'Title for people.';
COMMENT ON COLUMN launch.published_at IS 'When it was published.';
COMMENT ON COLUMN launch.age_hours IS 'Completed hours from publication to now.';
COMMENT ON COLUMN launch.episode_id IS 'The episode''s key.';
COMMENT ON COLUMN launch.show_id IS 'The show''s key.';
COMMENT ON COLUMN launch.counted_since IS 'Begin of counting_span.since.';

CREATE VIEW episode_reach AS
SELECT
    s.slug AS show,
    e.slug AS episode,
    e.title,
    e.published_at,
    CASE WHEN l.episode_id IS NOT NULL THEN coalesce((
        SELECT cumulative FROM launch_total AS t
        WHERE t.episode_id = e.id AND t.age_hours < 24
        ORDER BY t.age_hours DESC
        LIMIT 1
    ), 0) END AS downloads_1d,
    CASE WHEN l.episode_id IS NOT NULL THEN coalesce((
        SELECT cumulative FROM launch_total AS t
        WHERE t.episode_id = e.id AND t.age_hours < 168
        ORDER BY t.age_hours DESC
        LIMIT 1
    ), 0) END AS downloads_7d,
    CASE WHEN l.episode_id IS NOT NULL THEN coalesce((
        SELECT cumulative FROM launch_total AS t
        WHERE t.episode_id = e.id
        ORDER BY t.age_hours DESC
        LIMIT 1
    ), 0) END AS downloads_30d,
    coalesce((SELECT sum(downloads)::bigint FROM episode_total AS t WHERE t.episode_id = e.id), 0) AS downloads_all,
    CASE WHEN l.episode_id IS NOT NULL THEN (
        SELECT listeners FROM reach_span AS r
        WHERE r.scope = 'episode' AND r.scope_id = e.id AND r.span = 'release_7d' AND r.starts = date '1970-01-01'
    ) END AS listeners_7d,
    (
        SELECT listeners FROM reach_span AS r
        WHERE r.scope = 'episode' AND r.scope_id = e.id AND r.span = 'all' AND r.starts = date '1970-01-01'
    ) AS listeners_all,
    ((SELECT sum(body_bytes)::bigint FROM episode_total AS t WHERE t.episode_id = e.id))::double precision
        / nullif(e.bytes, 0) AS file_equivalents
FROM show AS s
JOIN episode AS e ON e.show_id = s.id
LEFT JOIN launch AS l ON l.episode_id = e.id;
COMMENT ON VIEW episode_reach IS 'How many downloads and listeners each episode has: one row for each.';
COMMENT ON COLUMN episode_reach.show IS 'Slug of the show.';
COMMENT ON COLUMN episode_reach.episode IS 'Slug of the episode.';
COMMENT ON COLUMN episode_reach.title IS 'Title for people.';
COMMENT ON COLUMN episode_reach.published_at IS 'When it was published.';
COMMENT ON COLUMN episode_reach.downloads_1d IS 'Downloads in the first 24 hours since publication, or so far; null where the launch was not seen.';
COMMENT ON COLUMN episode_reach.downloads_7d IS 'The same of the first 168 hours.';
COMMENT ON COLUMN episode_reach.downloads_30d IS 'The same of the first 720 hours.';
COMMENT ON COLUMN episode_reach.downloads_all IS 'Downloads of all time.';
COMMENT ON COLUMN episode_reach.listeners_7d IS 'Distinct listeners in the first 168 hours, or so far; null where nobody can tell.';
COMMENT ON COLUMN episode_reach.listeners_all IS 'Distinct listeners of all time; null where nobody can tell.';
COMMENT ON COLUMN episode_reach.file_equivalents IS 'The older way of counting: all body bytes, bots included, by the file''s size; null without one.';

CREATE VIEW show_reach AS
SELECT
    s.slug AS show,
    s.title,
    (SELECT count(*) FROM episode AS e WHERE e.show_id = s.id) AS episodes,
    coalesce(d.downloads_7, 0) AS downloads_last_7d,
    coalesce(d.downloads_28, 0) AS downloads_last_28d,
    coalesce(t.downloads, 0) AS downloads_all,
    (
        SELECT listeners FROM reach_span AS r
        WHERE r.scope = 'show' AND r.scope_id = s.id AND r.span = 'rolling_7' AND r.starts BETWEEN c.today - 7 AND c.today - 6
        ORDER BY r.starts DESC
        LIMIT 1
    ) AS listeners_last_7d,
    (
        SELECT listeners FROM reach_span AS r
        WHERE r.scope = 'show' AND r.scope_id = s.id AND r.span = 'rolling_28' AND r.starts BETWEEN c.today - 28 AND c.today - 27
        ORDER BY r.starts DESC
        LIMIT 1
    ) AS listeners_last_28d,
    (
        SELECT listeners FROM reach_span AS r
        WHERE r.scope = 'show' AND r.scope_id = s.id AND r.span = 'all' AND r.starts = date '1970-01-01'
    ) AS listeners_all,
    t.file_equivalents
FROM show AS s
CROSS JOIN (SELECT (until AT TIME ZONE 'UTC')::date AS today FROM counting_span) AS c
LEFT JOIN (
    SELECT
        e.show_id,
        sum(d.downloads)::bigint AS downloads_28,
        (sum(d.downloads) FILTER (WHERE d.day > c.today - 7))::bigint AS downloads_7
    FROM (SELECT (until AT TIME ZONE 'UTC')::date AS today FROM counting_span) AS c
    JOIN episode_day AS d ON d.day BETWEEN c.today - 27 AND c.today
    JOIN episode AS e ON e.id = d.episode_id
    GROUP BY e.show_id
) AS d ON d.show_id = s.id
LEFT JOIN (
    SELECT
        e.show_id,
        sum(t.downloads)::bigint AS downloads,
        sum(t.body_bytes::double precision / nullif(e.bytes, 0)) AS file_equivalents
    FROM episode AS e
    JOIN episode_total AS t ON t.episode_id = e.id
    GROUP BY e.show_id
) AS t ON t.show_id = s.id;
COMMENT ON VIEW show_reach IS 'How many downloads and listeners each show has: one row for each. Its last day is that of counting_span.until.';
COMMENT ON COLUMN show_reach.show IS 'Slug of the show.';
COMMENT ON COLUMN show_reach.title IS 'Title for people.';
COMMENT ON COLUMN show_reach.episodes IS 'Episodes that the catalogue or the log ever named.';
COMMENT ON COLUMN show_reach.downloads_last_7d IS 'Downloads on the last seven UTC days, today included.';
COMMENT ON COLUMN show_reach.downloads_last_28d IS 'Downloads on the last 28 UTC days.';
COMMENT ON COLUMN show_reach.downloads_all IS 'Downloads of all time.';
COMMENT ON COLUMN show_reach.listeners_last_7d IS 'Distinct listeners on the last seven UTC days, up to yesterday while nobody has listened today; null where nobody can tell.';
COMMENT ON COLUMN show_reach.listeners_last_28d IS 'The same of the last 28 UTC days.';
COMMENT ON COLUMN show_reach.listeners_all IS 'Distinct listeners of all time; null where nobody can tell.';
COMMENT ON COLUMN show_reach.file_equivalents IS 'The older way of counting, over all episodes whose size is known.';

CREATE VIEW listeners_span AS
SELECT
    'episode'::text AS scope,
    s.slug AS show,
    e.slug AS episode,
    r.span,
    r.starts,
    r.listeners
FROM show AS s
JOIN episode AS e ON e.show_id = s.id
JOIN reach_span AS r ON r.scope = 'episode' AND r.scope_id = e.id
UNION ALL
SELECT 'show', s.slug, NULL, r.span, r.starts, r.listeners
FROM show AS s
JOIN reach_span AS r ON r.scope = 'show' AND r.scope_id = s.id
UNION ALL
SELECT 'all', NULL, NULL, r.span, r.starts, r.listeners
FROM reach_span AS r
WHERE r.scope = 'all';
COMMENT ON VIEW listeners_span IS 'Distinct listeners over the standard spans. Never add them up: who listens in two spans is in both.';
COMMENT ON COLUMN listeners_span.scope IS 'Episode, show or all.';
COMMENT ON COLUMN listeners_span.show IS 'Slug of the show; null where the scope is all.';
COMMENT ON COLUMN listeners_span.episode IS 'Slug of the episode; null where the scope is not episode.';
COMMENT ON COLUMN listeners_span.span IS 'Day, week (from Monday), month, rolling_7, rolling_28, release_1d, release_7d, release_30d or all.';
COMMENT ON COLUMN listeners_span.starts IS 'First UTC day of the span; 1970-01-01 for release spans and for all.';
COMMENT ON COLUMN listeners_span.listeners IS 'Distinct listeners with at least one valid request; null where nobody can tell.';

CREATE VIEW launch_curve AS
SELECT
    l.show,
    l.episode,
    l.title,
    l.published_at,
    t.age_hours,
    t.downloads,
    t.cumulative
FROM launch AS l
CROSS JOIN LATERAL (
    SELECT t.age_hours, t.downloads, t.cumulative
    FROM launch_total AS t
    WHERE t.episode_id = l.episode_id AND t.age_hours <= l.age_hours
    UNION ALL
    SELECT a.n, 0, coalesce(z.cumulative, 0)
    FROM whole_number AS a
    LEFT JOIN LATERAL (
        SELECT age_hours, cumulative FROM launch_total WHERE episode_id = l.episode_id ORDER BY age_hours DESC LIMIT 1
    ) AS z ON true
    WHERE a.n > coalesce(z.age_hours, -1) AND a.n <= l.age_hours
) AS t;
COMMENT ON VIEW launch_curve IS 'How launches went: downloads in each hour since publication that has begun, without gaps.';
COMMENT ON COLUMN launch_curve.show IS 'Slug of the show.';
COMMENT ON COLUMN launch_curve.episode IS 'Slug of the episode.';
COMMENT ON COLUMN launch_curve.title IS 'Title for people.';
COMMENT ON COLUMN launch_curve.published_at IS 'When it was published.';
COMMENT ON COLUMN launch_curve.age_hours IS 'Whole hours since publication, 0 to 719; the newest hour may still go on.';
COMMENT ON COLUMN launch_curve.downloads IS 'Downloads in that hour.';
COMMENT ON COLUMN launch_curve.cumulative IS 'Downloads from publication to the end of that hour.';

CREATE VIEW launch_pace AS
SELECT
    l.show,
    l.episode,
    l.title,
    l.published_at,
    t.age_hours,
    t.cumulative,
    coalesce(p.episodes, 0) AS earlier_episodes,
    p.quartile[1] AS p25,
    p.quartile[2] AS median,
    p.quartile[3] AS p75,
    t.cumulative - p.quartile[2] AS difference,
    t.cumulative / nullif(p.quartile[2], 0) AS ratio
FROM launch AS l
CROSS JOIN LATERAL (
        SELECT t.age_hours, t.cumulative AS cumulative
        FROM launch_total AS t
        WHERE t.episode_id = l.episode_id AND t.age_hours < l.age_hours
        UNION ALL
        SELECT a.n, coalesce(z.cumulative, 0)
        FROM whole_number AS a
        LEFT JOIN LATERAL (
            SELECT age_hours, cumulative FROM launch_total WHERE episode_id = l.episode_id ORDER BY age_hours DESC LIMIT 1
        ) AS z ON true
        WHERE a.n > coalesce(z.age_hours, -1) AND a.n < l.age_hours
) AS t
LEFT JOIN LATERAL (
    SELECT
        u.age_hours,
        count(*) AS episodes,
        CASE WHEN count(*) >= 3 THEN
            percentile_cont(ARRAY[0.25, 0.5, 0.75]) WITHIN GROUP (ORDER BY u.cumulative)
        END AS quartile
    FROM (
        SELECT x.id, x.published_at FROM episode AS x
        WHERE x.show_id = l.show_id AND x.published_at >= l.counted_since
            AND (x.published_at, x.id) < (l.published_at, l.episode_id)
        ORDER BY x.published_at DESC, x.id DESC
        LIMIT 50
    ) AS x
    CROSS JOIN LATERAL (
        SELECT t.age_hours, t.cumulative::double precision AS cumulative
        FROM launch_total AS t
        WHERE t.episode_id = x.id
        UNION ALL
        SELECT a.n, coalesce(z.cumulative, 0)
        FROM whole_number AS a
        LEFT JOIN LATERAL (
            SELECT age_hours, cumulative FROM launch_total WHERE episode_id = x.id ORDER BY age_hours DESC LIMIT 1
        ) AS z ON true
        WHERE a.n > coalesce(z.age_hours, -1)
    ) AS u
    GROUP BY u.age_hours
) AS p ON p.age_hours = t.age_hours;
COMMENT ON VIEW launch_pace IS 'How a launch goes beside earlier ones: the cumulative downloads of each completed hour since publication, with the quartiles of the show''s own earlier episodes at the same age: the latest 50 before it, for shows change. Null with fewer than three. Percentiles are interpolated linearly. SQLite has neither percentiles nor arrays: the earlier numbers are a sorted JSON array, made once a row (the window function keeps SQLite from making it for each use).';
COMMENT ON COLUMN launch_pace.show IS 'Slug of the show.';
COMMENT ON COLUMN launch_pace.episode IS 'Slug of the episode.';
COMMENT ON COLUMN launch_pace.title IS 'Title for people.';
COMMENT ON COLUMN launch_pace.published_at IS 'When it was published.';
COMMENT ON COLUMN launch_pace.age_hours IS 'Whole hours since publication, 0 to 719; completed ones only.';
COMMENT ON COLUMN launch_pace.cumulative IS 'Downloads from publication to the end of that hour.';
COMMENT ON COLUMN launch_pace.earlier_episodes IS 'How many earlier episodes it is compared with, 50 at most.';
COMMENT ON COLUMN launch_pace.p25 IS 'A quarter of the earlier episodes had at most so many downloads at this age.';
COMMENT ON COLUMN launch_pace.median IS 'Half of them had at most so many.';
COMMENT ON COLUMN launch_pace.p75 IS 'Three quarters of them had at most so many.';
COMMENT ON COLUMN launch_pace.difference IS 'Downloads above the median; negative below.';
COMMENT ON COLUMN launch_pace.ratio IS 'Downloads as a multiple of the median; null where that is 0.';

CREATE VIEW launch_projection_hour AS
SELECT
    l.show,
    l.episode,
    l.title,
    l.published_at,
    t.age_hours,
    t.cumulative AS downloads,
    nullif(t.cumulative, 0) * CASE WHEN p.episodes >= 3 THEN
        (p.ratio[(p.episodes + 1) / 2] + p.ratio[p.episodes / 2 + 1]) / 2
    END AS expected_7d,
    nullif(t.cumulative, 0) * CASE
        WHEN p.episodes >= 9 THEN p.ratio[(p.episodes + 1) / 10] + (p.episodes + 1) % 10 / 10.0::double precision
            * (p.ratio[(p.episodes + 1) / 10 + 1] - p.ratio[(p.episodes + 1) / 10])
        WHEN p.episodes >= 3 THEN p.ratio[1]
    END AS low_7d,
    nullif(t.cumulative, 0) * CASE
        WHEN p.episodes > 9 THEN p.ratio[(p.episodes + 1) * 9 / 10] + (p.episodes + 1) * 9 % 10 / 10.0::double precision
            * (p.ratio[(p.episodes + 1) * 9 / 10 + 1] - p.ratio[(p.episodes + 1) * 9 / 10])
        WHEN p.episodes >= 3 THEN p.ratio[p.episodes]
    END AS high_7d,
    p.episodes AS earlier_episodes,
    l.age_hours AS now_hours,
    CASE WHEN l.age_hours >= 168 THEN coalesce(w.downloads, 0) END AS downloads_7d
FROM launch AS l
CROSS JOIN LATERAL (
        SELECT t.age_hours, t.cumulative AS cumulative
        FROM launch_total AS t
        WHERE t.episode_id = l.episode_id AND t.age_hours < least(l.age_hours, 168)
        UNION ALL
        SELECT a.n, coalesce(z.cumulative, 0)
        FROM whole_number AS a
        LEFT JOIN LATERAL (
            SELECT age_hours, cumulative FROM launch_total WHERE episode_id = l.episode_id ORDER BY age_hours DESC LIMIT 1
        ) AS z ON true
        WHERE a.n > coalesce(z.age_hours, -1) AND a.n < least(l.age_hours, 168)
) AS t
CROSS JOIN LATERAL (
    SELECT count(*)::integer AS episodes, array_agg(r.ratio ORDER BY r.ratio) AS ratio
    FROM (
        SELECT w.downloads / u.downloads::double precision AS ratio
        FROM (
            SELECT x.id, x.published_at FROM episode AS x
            WHERE x.show_id = l.show_id AND x.published_at >= l.counted_since
                AND (x.published_at, x.id) < (l.published_at, l.episode_id)
            ORDER BY x.published_at DESC, x.id DESC
            LIMIT 50
        ) AS x
        CROSS JOIN LATERAL (
            SELECT cumulative AS downloads FROM launch_total
            WHERE episode_id = x.id AND age_hours < 168
            ORDER BY age_hours DESC
            LIMIT 1
        ) AS w
        CROSS JOIN LATERAL (
            SELECT cumulative AS downloads FROM launch_total
            WHERE episode_id = x.id AND age_hours <= t.age_hours
            ORDER BY age_hours DESC
            LIMIT 1
        ) AS u
        WHERE u.downloads > 0
            AND floor(extract(epoch FROM l.published_at)) - floor(extract(epoch FROM x.published_at)) >= (167 - t.age_hours) * 3600
    ) AS r
) AS p
LEFT JOIN LATERAL (
    SELECT cumulative AS downloads FROM launch_total WHERE episode_id = l.episode_id AND age_hours < 168 ORDER BY age_hours DESC LIMIT 1
) AS w ON true;
COMMENT ON VIEW launch_projection_hour IS 'What the first week was going to bring, as could be told at the end of each of its hours, and what it brought. The downloads so far are multiplied by how many times over the show''s earlier episodes (the latest 50 before it, those whose week was complete by then) went on to have in their weeks: the median, and an interval.';
COMMENT ON COLUMN launch_projection_hour.show IS 'Slug of the show.';
COMMENT ON COLUMN launch_projection_hour.episode IS 'Slug of the episode.';
COMMENT ON COLUMN launch_projection_hour.title IS 'Title for people.';
COMMENT ON COLUMN launch_projection_hour.published_at IS 'When it was published.';
COMMENT ON COLUMN launch_projection_hour.age_hours IS 'Whole hours since publication, 0 to 167; completed ones only.';
COMMENT ON COLUMN launch_projection_hour.downloads IS 'Downloads from publication to the end of that hour.';
COMMENT ON COLUMN launch_projection_hour.expected_7d IS 'Expected downloads of the first 168 hours; null with fewer than three earlier episodes.';
COMMENT ON COLUMN launch_projection_hour.low_7d IS 'Lower end of the interval that holds four weeks of five; with fewer than nine earlier episodes, as the lowest of them.';
COMMENT ON COLUMN launch_projection_hour.high_7d IS 'Its upper end; with fewer than nine, as the highest of them.';
COMMENT ON COLUMN launch_projection_hour.earlier_episodes IS 'How many earlier episodes it goes by, 50 at most.';
COMMENT ON COLUMN launch_projection_hour.now_hours IS 'Completed hours from publication to now.';
COMMENT ON COLUMN launch_projection_hour.downloads_7d IS 'What it came to; null until then.';

CREATE VIEW launch_projection AS
SELECT
    show,
    episode,
    title,
    published_at,
    now_hours AS age_hours,
    downloads,
    expected_7d,
    low_7d,
    high_7d,
    earlier_episodes
FROM launch_projection_hour
WHERE now_hours < 168 AND age_hours = now_hours - 1;
COMMENT ON VIEW launch_projection IS 'What the first week of each episode that is in it is going to bring: one row for each.';
COMMENT ON COLUMN launch_projection.show IS 'Slug of the show.';
COMMENT ON COLUMN launch_projection.episode IS 'Slug of the episode.';
COMMENT ON COLUMN launch_projection.title IS 'Title for people.';
COMMENT ON COLUMN launch_projection.published_at IS 'When it was published.';
COMMENT ON COLUMN launch_projection.age_hours IS 'Completed hours since publication, 1 to 167.';
COMMENT ON COLUMN launch_projection.downloads IS 'Downloads in these hours.';
COMMENT ON COLUMN launch_projection.expected_7d IS 'As in launch_projection_hour.';
COMMENT ON COLUMN launch_projection.low_7d IS 'As in launch_projection_hour.';
COMMENT ON COLUMN launch_projection.high_7d IS 'As in launch_projection_hour.';
COMMENT ON COLUMN launch_projection.earlier_episodes IS 'As in launch_projection_hour.';

CREATE VIEW listen_summary AS
SELECT
    show,
    episode,
    title,
    published_at,
    downloads,
    bulk_downloads,
    progressive_downloads,
    sessions,
    (sessions)::double precision / downloads AS coverage,
    median_furthest
FROM (
    SELECT
        *,
        CASE WHEN sessions >= 5 THEN (
            SELECT (f.bin + 1) / 100.0
            FROM (
                SELECT bin, sum(sum(furthest)::bigint) OVER (ORDER BY bin) AS so_far
                FROM listen_bin
                WHERE episode_id = t.episode_id
                GROUP BY bin
            ) AS f
            WHERE f.so_far * 2 >= t.sessions
            LIMIT 1
        ) END AS median_furthest,
        row_number() OVER (PARTITION BY show, episode, published_at) AS once_a_median
    FROM (
        SELECT
            e.id AS episode_id,
            s.slug AS show,
            e.slug AS episode,
            e.title,
            e.published_at,
            (SELECT sum(downloads)::bigint FROM episode_total WHERE episode_id = e.id) AS downloads,
            (SELECT sum(bulk_downloads)::bigint FROM episode_total WHERE episode_id = e.id) AS bulk_downloads,
            (SELECT sum(progressive_downloads)::bigint FROM episode_total WHERE episode_id = e.id) AS progressive_downloads,
            coalesce((SELECT sum(furthest)::bigint FROM listen_bin WHERE episode_id = e.id), 0) AS sessions,
            row_number() OVER (PARTITION BY s.slug, e.slug, e.published_at) AS once_a_sum
        FROM show AS s
        JOIN episode AS e ON e.show_id = s.id
    ) AS t
) AS u
WHERE downloads > 0;
COMMENT ON VIEW listen_summary IS 'How the downloads of each episode were fetched, and how far: one row for each with downloads.';
COMMENT ON COLUMN listen_summary.show IS 'Slug of the show.';
COMMENT ON COLUMN listen_summary.episode IS 'Slug of the episode.';
COMMENT ON COLUMN listen_summary.title IS 'Title for people.';
COMMENT ON COLUMN listen_summary.published_at IS 'When it was published.';
COMMENT ON COLUMN listen_summary.downloads IS 'Downloads of all time.';
COMMENT ON COLUMN listen_summary.bulk_downloads IS 'Those fetched as a file: they say nothing about listening.';
COMMENT ON COLUMN listen_summary.progressive_downloads IS 'Those fetched bit by bit, as a player does.';
COMMENT ON COLUMN listen_summary.sessions IS 'Progressive downloads behind the curve: those whose file''s size is known.';
COMMENT ON COLUMN listen_summary.coverage IS 'Sessions as a share of all downloads, 0 to 1.';
COMMENT ON COLUMN listen_summary.median_furthest IS 'Half of these sessions ended by this share of the content, 0.01 to 1; null below five sessions.';

CREATE VIEW listen_through AS
SELECT
    l.show,
    l.episode,
    l.title,
    b.n AS bin,
    e.duration_seconds * b.n / 100 AS starts_seconds,
    coalesce((SELECT sum(covered)::bigint FROM listen_bin AS c WHERE c.episode_id = e.id AND c.bin = b.n), 0)
        / (l.sessions)::double precision AS share,
    l.sessions,
    l.coverage,
    l.median_furthest
FROM listen_summary AS l
JOIN show AS s ON s.slug = l.show
JOIN episode AS e ON e.show_id = s.id AND e.slug = l.episode
JOIN whole_number AS b ON b.n < 100
WHERE l.sessions >= 5;
COMMENT ON VIEW listen_through IS 'Which parts of an episode progressive downloads received, by hundredths of the content: an upper bound of listening, for players read ahead. No rows below five sessions.';
COMMENT ON COLUMN listen_through.show IS 'Slug of the show.';
COMMENT ON COLUMN listen_through.episode IS 'Slug of the episode.';
COMMENT ON COLUMN listen_through.title IS 'Title for people.';
COMMENT ON COLUMN listen_through.bin IS 'Hundredth of the content, 0 to 99.';
COMMENT ON COLUMN listen_through.starts_seconds IS 'Where it begins in playing time, at a constant bit rate; null without a duration.';
COMMENT ON COLUMN listen_through.share IS 'Sessions that received all of it as a share of sessions, 0 to 1.';
COMMENT ON COLUMN listen_through.sessions IS 'As in listen_summary.';
COMMENT ON COLUMN listen_through.coverage IS 'As in listen_summary: what share of all downloads the curve speaks for.';
COMMENT ON COLUMN listen_through.median_furthest IS 'As in listen_summary.';

CREATE VIEW chapter_reach AS
SELECT
    l.show,
    l.episode,
    l.title,
    c.number,
    c.title AS chapter,
    c.start_seconds AS starts_seconds,
    floor(c.start_seconds * 100 / e.duration_seconds)::integer AS bin,
    coalesce((
        SELECT sum(b.covered)::bigint FROM listen_bin AS b
        WHERE b.episode_id = e.id AND b.bin = floor(c.start_seconds * 100 / e.duration_seconds)::integer
    ), 0) / (l.sessions)::double precision AS share,
    l.sessions,
    l.coverage
FROM listen_summary AS l
JOIN show AS s ON s.slug = l.show
JOIN episode AS e ON e.show_id = s.id AND e.slug = l.episode
JOIN chapter AS c ON c.episode_id = e.id AND c.start_seconds < e.duration_seconds
WHERE l.sessions >= 5;
COMMENT ON VIEW chapter_reach IS 'How many sessions received the beginning of each chapter. No rows below five sessions.';
COMMENT ON COLUMN chapter_reach.show IS 'Slug of the show.';
COMMENT ON COLUMN chapter_reach.episode IS 'Slug of the episode.';
COMMENT ON COLUMN chapter_reach.title IS 'Title of the episode.';
COMMENT ON COLUMN chapter_reach.number IS 'The chapter''s place in the episode, from 1.';
COMMENT ON COLUMN chapter_reach.chapter IS 'Title of the chapter.';
COMMENT ON COLUMN chapter_reach.starts_seconds IS 'Where it begins in playing time.';
COMMENT ON COLUMN chapter_reach.bin IS 'The hundredth of the content in which it begins, at a constant bit rate.';
COMMENT ON COLUMN chapter_reach.share IS 'Sessions that received all of that hundredth as a share of sessions, 0 to 1.';
COMMENT ON COLUMN chapter_reach.sessions IS 'As in listen_summary.';
COMMENT ON COLUMN chapter_reach.coverage IS 'As in listen_summary.';

CREATE VIEW downloads_day AS
SELECT
    show,
    episode,
    day,
    downloads,
    bulk_downloads,
    progressive_downloads,
    (
        SELECT listeners FROM reach_span AS r
        WHERE r.scope = 'episode' AND r.scope_id = d.episode_id AND r.span = 'day' AND r.starts = d.day
    ) AS listeners,
    requests,
    delivered_bytes
FROM (
    SELECT
        s.slug AS show,
        e.slug AS episode,
        d.day,
        d.episode_id,
        sum(d.downloads)::bigint AS downloads,
        sum(d.bulk_downloads)::bigint AS bulk_downloads,
        sum(d.progressive_downloads)::bigint AS progressive_downloads,
        sum(d.requests)::bigint AS requests,
        sum(d.delivered_bytes)::bigint AS delivered_bytes
    FROM show AS s
    JOIN episode AS e ON e.show_id = s.id
    JOIN episode_day AS d ON d.episode_id = e.id
    GROUP BY s.slug, e.slug, d.day, d.episode_id
) AS d;
COMMENT ON VIEW downloads_day IS 'What was counted by episode and UTC day.';
COMMENT ON COLUMN downloads_day.show IS 'Slug of the show.';
COMMENT ON COLUMN downloads_day.episode IS 'Slug of the episode.';
COMMENT ON COLUMN downloads_day.day IS 'UTC day.';
COMMENT ON COLUMN downloads_day.downloads IS 'Downloads that began on that day.';
COMMENT ON COLUMN downloads_day.bulk_downloads IS 'Those fetched as a file.';
COMMENT ON COLUMN downloads_day.progressive_downloads IS 'Those fetched bit by bit.';
COMMENT ON COLUMN downloads_day.listeners IS 'Distinct listeners on that day; null where nobody can tell.';
COMMENT ON COLUMN downloads_day.requests IS 'Valid requests.';
COMMENT ON COLUMN downloads_day.delivered_bytes IS 'Bytes delivered to sessions, each byte of the file once a session.';

CREATE VIEW show_day AS
SELECT
    show,
    day,
    downloads,
    (
        SELECT listeners FROM reach_span AS r
        WHERE r.scope = 'show' AND r.scope_id = d.show_id AND r.span = 'day' AND r.starts = d.day
    ) AS listeners,
    requests,
    delivered_bytes
FROM (
    SELECT
        s.slug AS show,
        d.day,
        s.id AS show_id,
        sum(d.downloads)::bigint AS downloads,
        sum(d.requests)::bigint AS requests,
        sum(d.delivered_bytes)::bigint AS delivered_bytes
    FROM show AS s
    JOIN episode AS e ON e.show_id = s.id
    JOIN episode_day AS d ON d.episode_id = e.id
    GROUP BY s.slug, d.day, s.id
) AS d;
COMMENT ON VIEW show_day IS 'What was counted by show and UTC day.';
COMMENT ON COLUMN show_day.show IS 'Slug of the show.';
COMMENT ON COLUMN show_day.day IS 'UTC day.';
COMMENT ON COLUMN show_day.downloads IS 'Downloads that began on that day.';
COMMENT ON COLUMN show_day.listeners IS 'Distinct listeners of the show on that day; null where nobody can tell.';
COMMENT ON COLUMN show_day.requests IS 'Valid requests.';
COMMENT ON COLUMN show_day.delivered_bytes IS 'Bytes delivered to sessions, each byte of the file once a session.';

CREATE VIEW downloads_hour AS
SELECT
    s.slug AS show,
    e.slug AS episode,
    h.hour,
    sum(h.downloads)::bigint AS downloads
FROM show AS s
JOIN episode AS e ON e.show_id = s.id
JOIN episode_hour AS h ON h.episode_id = e.id
GROUP BY s.slug, e.slug, h.hour;
COMMENT ON VIEW downloads_hour IS 'Downloads by episode and UTC hour.';
COMMENT ON COLUMN downloads_hour.show IS 'Slug of the show.';
COMMENT ON COLUMN downloads_hour.episode IS 'Slug of the episode.';
COMMENT ON COLUMN downloads_hour.hour IS 'Start of the UTC hour.';
COMMENT ON COLUMN downloads_hour.downloads IS 'Downloads that began in it.';

CREATE VIEW audience_day AS
SELECT
    s.slug AS show,
    e.slug AS episode,
    a.day,
    a.country,
    a.app,
    a.device,
    sum(a.downloads)::bigint AS downloads
FROM show AS s
JOIN episode AS e ON e.show_id = s.id
JOIN audience_slice AS a ON a.episode_id = e.id
GROUP BY s.slug, e.slug, a.day, a.country, a.app, a.device;
COMMENT ON VIEW audience_day IS 'Who downloads: country, app and device class, so that any of them can be crossed.';
COMMENT ON COLUMN audience_day.show IS 'Slug of the show.';
COMMENT ON COLUMN audience_day.episode IS 'Slug of the episode.';
COMMENT ON COLUMN audience_day.day IS 'UTC day.';
COMMENT ON COLUMN audience_day.country IS 'Two-letter code; empty where the log does not say.';
COMMENT ON COLUMN audience_day.app IS 'App, browser or library by its user agent; unknown where no pattern matches.';
COMMENT ON COLUMN audience_day.device IS 'Phone, tablet, desktop, speaker, car, tv, watch, console or unknown.';
COMMENT ON COLUMN audience_day.downloads IS 'Downloads.';

CREATE VIEW audience_region_day AS
SELECT
    s.slug AS show,
    e.slug AS episode,
    r.day,
    r.country,
    r.region,
    sum(r.downloads)::bigint AS downloads
FROM show AS s
JOIN episode AS e ON e.show_id = s.id
JOIN region_day AS r ON r.episode_id = e.id
GROUP BY s.slug, e.slug, r.day, r.country, r.region;
COMMENT ON VIEW audience_region_day IS 'Downloads by region of a country.';
COMMENT ON COLUMN audience_region_day.show IS 'Slug of the show.';
COMMENT ON COLUMN audience_region_day.episode IS 'Slug of the episode.';
COMMENT ON COLUMN audience_region_day.day IS 'UTC day.';
COMMENT ON COLUMN audience_region_day.country IS 'Two-letter code; empty where the log does not say.';
COMMENT ON COLUMN audience_region_day.region IS 'Region as the CDN names it; empty where the log does not say.';
COMMENT ON COLUMN audience_region_day.downloads IS 'Downloads.';

CREATE VIEW audience_referrer_day AS
SELECT
    s.slug AS show,
    e.slug AS episode,
    r.day,
    r.referrer,
    sum(r.downloads)::bigint AS downloads
FROM show AS s
JOIN episode AS e ON e.show_id = s.id
JOIN referrer_day AS r ON r.episode_id = e.id
GROUP BY s.slug, e.slug, r.day, r.referrer;
COMMENT ON VIEW audience_referrer_day IS 'Downloads by the class of page that led to them.';
COMMENT ON COLUMN audience_referrer_day.show IS 'Slug of the show.';
COMMENT ON COLUMN audience_referrer_day.episode IS 'Slug of the episode.';
COMMENT ON COLUMN audience_referrer_day.day IS 'UTC day.';
COMMENT ON COLUMN audience_referrer_day.referrer IS 'None, own_site, player, search, social or other.';
COMMENT ON COLUMN audience_referrer_day.downloads IS 'Downloads.';

CREATE VIEW exclusions_day AS
SELECT
    s.slug AS show,
    e.slug AS episode,
    x.day,
    x.reason,
    x.rule,
    sum(x.requests)::bigint AS requests,
    sum(x.body_bytes)::bigint AS body_bytes
FROM show AS s
JOIN episode AS e ON e.show_id = s.id
JOIN exclusion_day AS x ON x.episode_id = e.id
GROUP BY s.slug, e.slug, x.day, x.reason, x.rule;
COMMENT ON VIEW exclusions_day IS 'What was not counted, why, and by which rule of which version.';
COMMENT ON COLUMN exclusions_day.show IS 'Slug of the show.';
COMMENT ON COLUMN exclusions_day.episode IS 'Slug of the episode.';
COMMENT ON COLUMN exclusions_day.day IS 'UTC day.';
COMMENT ON COLUMN exclusions_day.reason IS 'Why the requests were not counted.';
COMMENT ON COLUMN exclusions_day.rule IS 'What decided: the list with its version and the pattern in it, or the field with its value; empty where the reason says all.';
COMMENT ON COLUMN exclusions_day.requests IS 'Requests.';
COMMENT ON COLUMN exclusions_day.body_bytes IS 'Their body bytes.';

CREATE VIEW exclusion_changes AS
SELECT
    s.slug AS show,
    x.day,
    x.reason,
    x.rule,
    sum(x.requests)::bigint AS requests,
    sum(x.requests_before)::bigint AS requests_before,
    sum(x.body_bytes)::bigint AS body_bytes,
    sum(x.body_bytes_before)::bigint AS body_bytes_before
FROM (
    SELECT d.day, x.episode_id, x.reason, x.rule, x.requests, 0::bigint AS requests_before, x.body_bytes, 0::bigint AS body_bytes_before
    FROM (SELECT DISTINCT day FROM fate_day) AS d
    JOIN exclusion_day AS x ON x.day = d.day
    UNION ALL
    SELECT d.day, x.episode_id, x.reason, x.rule, 0::bigint, x.requests, 0::bigint, x.body_bytes
    FROM (SELECT DISTINCT day FROM fate_day) AS d
    -- Day by day, so that each finds its partition.
    CROSS JOIN LATERAL (SELECT * FROM exclusion_day WHERE day = d.day - 1 OFFSET 0) AS x
) AS x
JOIN episode AS e ON e.id = x.episode_id
JOIN show AS s ON s.id = e.show_id
GROUP BY s.slug, x.day, x.reason, x.rule;
COMMENT ON VIEW exclusion_changes IS 'The same rules on a day and on the day before, side by side: what changed when a list did. A rule''s version is part of its name, so a new version''s rules begin where the old one''s end.';
COMMENT ON COLUMN exclusion_changes.show IS 'Slug of the show.';
COMMENT ON COLUMN exclusion_changes.day IS 'UTC day.';
COMMENT ON COLUMN exclusion_changes.reason IS 'Why the requests were not counted.';
COMMENT ON COLUMN exclusion_changes.rule IS 'As in exclusions_day.';
COMMENT ON COLUMN exclusion_changes.requests IS 'Requests on that day.';
COMMENT ON COLUMN exclusion_changes.requests_before IS 'Requests on the day before.';
COMMENT ON COLUMN exclusion_changes.body_bytes IS 'Body bytes on that day.';
COMMENT ON COLUMN exclusion_changes.body_bytes_before IS 'Body bytes on the day before.';

CREATE VIEW subscribers_day AS
SELECT
    f.feed,
    f.service,
    f.day,
    max(f.subscribers) AS subscribers,
    CASE WHEN count(*) = 1 OR max(f.clients) = 0 THEN max(f.clients) END AS clients
FROM feed_day AS f
GROUP BY f.feed, f.service, f.day;
COMMENT ON VIEW subscribers_day IS 'Who subscribes to a feed, as the user agents of its requests say.';
COMMENT ON COLUMN subscribers_day.feed IS 'Path of the feed.';
COMMENT ON COLUMN subscribers_day.service IS 'Service that reported subscribers; empty in the row of all clients that report none.';
COMMENT ON COLUMN subscribers_day.day IS 'UTC day.';
COMMENT ON COLUMN subscribers_day.subscribers IS 'Largest number the service reported on that day; 0 in the row without a service.';
COMMENT ON COLUMN subscribers_day.clients IS 'Distinct clients that reported none; null where several instances saw some.';

CREATE VIEW traffic_day AS
SELECT
    s.slug AS show,
    e.slug AS episode,
    t.day,
    t.status,
    t.pop,
    t.cache_state,
    sum(t.requests)::bigint AS requests,
    sum(t.body_bytes)::bigint AS body_bytes
FROM show AS s
JOIN episode AS e ON e.show_id = s.id
JOIN traffic_slice AS t ON t.episode_id = e.id
GROUP BY s.slug, e.slug, t.day, t.status, t.pop, t.cache_state;
COMMENT ON VIEW traffic_day IS 'What the CDN did: every request for an episode, counted or not.';
COMMENT ON COLUMN traffic_day.show IS 'Slug of the show.';
COMMENT ON COLUMN traffic_day.episode IS 'Slug of the episode.';
COMMENT ON COLUMN traffic_day.day IS 'UTC day.';
COMMENT ON COLUMN traffic_day.status IS 'HTTP status.';
COMMENT ON COLUMN traffic_day.pop IS 'The CDN''s point of presence; empty where the log does not say.';
COMMENT ON COLUMN traffic_day.cache_state IS 'Cache state as logged; empty where the log does not say.';
COMMENT ON COLUMN traffic_day.requests IS 'Requests.';
COMMENT ON COLUMN traffic_day.body_bytes IS 'Their body bytes.';

CREATE VIEW parity AS
SELECT
    d.show,
    d.episode,
    d.day,
    d.downloads,
    (
        SELECT listeners FROM reach_span AS r
        WHERE r.scope = 'episode' AND r.scope_id = d.episode_id AND r.span = 'day' AND r.starts = d.day
    ) AS listeners,
    d.requests,
    d.body_bytes::double precision / d.file_bytes AS file_equivalents,
    d.addresses,
    d.body_bytes,
    d.file_bytes,
    d.downloads * d.file_bytes - d.delivered_bytes AS partial_bytes,
    d.body_bytes - d.delivered_bytes - d.bot_bytes - d.network_bytes - d.probe_bytes - d.other_bytes AS refetched_bytes,
    d.bot_bytes,
    d.network_bytes,
    d.probe_bytes,
    d.other_bytes
FROM (
    SELECT
        s.slug AS show,
        e.slug AS episode,
        d.day,
        e.id AS episode_id,
        nullif(e.bytes, 0) AS file_bytes,
        sum(d.downloads)::bigint AS downloads,
        sum(d.requests)::bigint AS requests,
        sum(d.delivered_bytes)::bigint AS delivered_bytes,
        sum(d.body_bytes)::bigint AS body_bytes,
        CASE WHEN count(d.addresses) = 1 THEN min(d.addresses) END AS addresses,
        coalesce(sum(d.excluded_bytes) FILTER (WHERE d.reason = 'bot'), 0)::bigint AS bot_bytes,
        coalesce(sum(d.excluded_bytes) FILTER (WHERE d.reason IN ('datacenter', 'vpn', 'blocked')), 0)::bigint AS network_bytes,
        coalesce(sum(d.excluded_bytes) FILTER (WHERE d.reason = 'probe'), 0)::bigint AS probe_bytes,
        coalesce(sum(d.excluded_bytes) FILTER (WHERE d.reason NOT IN ('bot', 'datacenter', 'vpn', 'blocked', 'probe')), 0)::bigint AS other_bytes
    FROM show AS s
    JOIN episode AS e ON e.show_id = s.id
    -- Without conditions, so that those on the whole reach into each part.
    JOIN (
        SELECT episode_id, day, downloads, requests, delivered_bytes, body_bytes, addresses, NULL::text AS reason, NULL::bigint AS excluded_bytes
        FROM episode_day
        UNION ALL
        SELECT episode_id, day, NULL::bigint, NULL::bigint, NULL::bigint, NULL::bigint, NULL::bigint, reason, body_bytes
        FROM exclusion_day
        UNION ALL
        SELECT episode_id, day, NULL::bigint, NULL::bigint, NULL::bigint, NULL::bigint, NULL::bigint, 'answered 301 or 404'::text, CASE WHEN status IN (301, 404) THEN -body_bytes END
        FROM traffic_slice
    ) AS d ON d.episode_id = e.id
    GROUP BY s.slug, e.slug, d.day, e.id
    HAVING count(d.addresses) > 0
) AS d;
COMMENT ON VIEW parity IS 'Both ways of counting side by side, and where the difference comes from, in bytes. Always, exactly: body_bytes = downloads × file_bytes − partial_bytes + refetched_bytes + bot_bytes + network_bytes + probe_bytes + other_bytes Divided by file_bytes, these are file equivalents.';
COMMENT ON COLUMN parity.show IS 'Slug of the show.';
COMMENT ON COLUMN parity.episode IS 'Slug of the episode.';
COMMENT ON COLUMN parity.day IS 'UTC day.';
COMMENT ON COLUMN parity.downloads IS 'Downloads that began on that day.';
COMMENT ON COLUMN parity.listeners IS 'Distinct listeners; null where nobody can tell.';
COMMENT ON COLUMN parity.requests IS 'Valid requests.';
COMMENT ON COLUMN parity.file_equivalents IS 'The older way: body_bytes by file_bytes.';
COMMENT ON COLUMN parity.addresses IS 'The older way: distinct addresses; null where several instances saw some.';
COMMENT ON COLUMN parity.body_bytes IS 'The older way: body bytes of all requests, but for answers 301 and 404.';
COMMENT ON COLUMN parity.file_bytes IS 'The file''s size; null where the catalogue has none.';
COMMENT ON COLUMN parity.partial_bytes IS 'What downloads lack of whole files, less what sessions that are no downloads received; null without a size.';
COMMENT ON COLUMN parity.refetched_bytes IS 'Bytes of valid requests that their session had already received.';
COMMENT ON COLUMN parity.bot_bytes IS 'Bytes sent to bots.';
COMMENT ON COLUMN parity.network_bytes IS 'Bytes sent to data centres, VPNs and blocked networks.';
COMMENT ON COLUMN parity.probe_bytes IS 'Bytes sent to probes.';
COMMENT ON COLUMN parity.other_bytes IS 'Bytes of everything else that is not counted: other methods and statuses, watches, before the release.';
