-- Views for dashboards and for whoever writes SQL: the public interface. Names and columns stay; docs/sql.md has a
-- question for each. They add up over instances; distinct counts come from reach_span. "show" and "episode" are slugs.
-- "So far" means up to counting_span.until. The previous release goes on working: triggers keep the two summary tables,
-- whoever writes the rows they sum up.

INSERT INTO schema_compatibility VALUES (5, 1);

CREATE INDEX episode_release ON episode (show_id, published_at, id);
CREATE INDEX exclusion_day_episode ON exclusion_day (episode_id, day);

-- 0 to 719: the hours of a launch, the bins of a curve.
CREATE TABLE whole_number (
    n INTEGER PRIMARY KEY -- each number once
) STRICT;
INSERT INTO whole_number
WITH RECURSIVE whole (n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM whole WHERE n < 719)
SELECT n FROM whole;

-- Sums of episode_day over all days. One row for each instance.
CREATE TABLE episode_total (
    episode_id INTEGER NOT NULL REFERENCES episode (id),   -- the episode
    downloads INTEGER NOT NULL,                            -- sessions that are downloads
    bulk_downloads INTEGER NOT NULL,                       -- those fetched as a file
    progressive_downloads INTEGER NOT NULL,                -- those fetched bit by bit
    body_bytes INTEGER NOT NULL,                           -- the older way: body bytes of every line for the episode
    instance_id INTEGER NOT NULL REFERENCES instance (id), -- the instance that counted this row
    PRIMARY KEY (episode_id, instance_id)
) STRICT, WITHOUT ROWID;

-- launch_hour over all instances, without gaps from hour 0 to the last hour that has a row there.
CREATE TABLE launch_total (
    episode_id INTEGER NOT NULL REFERENCES episode (id), -- the episode
    age_hours INTEGER NOT NULL,                          -- whole hours since publication
    downloads INTEGER NOT NULL,                          -- downloads in that hour
    cumulative INTEGER NOT NULL,                         -- downloads from publication to the end of that hour
    PRIMARY KEY (episode_id, age_hours)
) STRICT, WITHOUT ROWID;

CREATE TRIGGER episode_day_inserted AFTER INSERT ON episode_day BEGIN
    INSERT INTO episode_total
    VALUES (NEW.episode_id, NEW.downloads, NEW.bulk_downloads, NEW.progressive_downloads, NEW.body_bytes, NEW.instance_id)
    ON CONFLICT (episode_id, instance_id) DO UPDATE SET
        downloads = downloads + excluded.downloads,
        bulk_downloads = bulk_downloads + excluded.bulk_downloads,
        progressive_downloads = progressive_downloads + excluded.progressive_downloads,
        body_bytes = body_bytes + excluded.body_bytes;
END;
CREATE TRIGGER episode_day_updated AFTER UPDATE ON episode_day BEGIN
    UPDATE episode_total SET
        downloads = downloads + NEW.downloads - OLD.downloads,
        bulk_downloads = bulk_downloads + NEW.bulk_downloads - OLD.bulk_downloads,
        progressive_downloads = progressive_downloads + NEW.progressive_downloads - OLD.progressive_downloads,
        body_bytes = body_bytes + NEW.body_bytes - OLD.body_bytes
    WHERE episode_id = NEW.episode_id AND instance_id = NEW.instance_id;
END;
CREATE TRIGGER episode_day_deleted AFTER DELETE ON episode_day BEGIN
    UPDATE episode_total SET
        downloads = downloads - OLD.downloads,
        bulk_downloads = bulk_downloads - OLD.bulk_downloads,
        progressive_downloads = progressive_downloads - OLD.progressive_downloads,
        body_bytes = body_bytes - OLD.body_bytes
    WHERE episode_id = OLD.episode_id AND instance_id = OLD.instance_id;
END;
INSERT INTO episode_total
SELECT episode_id, sum(downloads), sum(bulk_downloads), sum(progressive_downloads), sum(body_bytes), instance_id
FROM episode_day
GROUP BY episode_id, instance_id;

CREATE TRIGGER launch_hour_inserted AFTER INSERT ON launch_hour BEGIN
    -- The hours without downloads before this one.
    INSERT INTO launch_total
    SELECT
        NEW.episode_id,
        n,
        0,
        coalesce((SELECT cumulative FROM launch_total WHERE episode_id = NEW.episode_id ORDER BY age_hours DESC LIMIT 1), 0)
    FROM whole_number
    WHERE n <= NEW.age_hours
        AND n > coalesce((SELECT max(age_hours) FROM launch_total WHERE episode_id = NEW.episode_id), -1);
    UPDATE launch_total SET
        downloads = downloads + CASE WHEN age_hours = NEW.age_hours THEN NEW.downloads ELSE 0 END,
        cumulative = cumulative + NEW.downloads
    WHERE episode_id = NEW.episode_id AND age_hours >= NEW.age_hours;
END;
CREATE TRIGGER launch_hour_updated AFTER UPDATE ON launch_hour BEGIN
    UPDATE launch_total SET
        downloads = downloads + CASE WHEN age_hours = NEW.age_hours THEN NEW.downloads - OLD.downloads ELSE 0 END,
        cumulative = cumulative + NEW.downloads - OLD.downloads
    WHERE episode_id = NEW.episode_id AND age_hours >= NEW.age_hours;
END;
CREATE TRIGGER launch_hour_deleted AFTER DELETE ON launch_hour BEGIN
    UPDATE launch_total SET
        downloads = downloads - CASE WHEN age_hours = OLD.age_hours THEN OLD.downloads ELSE 0 END,
        cumulative = cumulative - OLD.downloads
    WHERE episode_id = OLD.episode_id AND age_hours >= OLD.age_hours;
END;

-- How far the tables reach. One row.
CREATE VIEW counting_span AS
SELECT
    (SELECT day FROM fate_day WHERE fate = 'valid' ORDER BY day LIMIT 1) AS since, -- first UTC day with a valid line
    (SELECT max(committed_at) FROM instance) AS until; -- when the tables were written last; views call it now

-- Episodes whose launch was seen: published on or after the first day that was counted, and not later than now.
CREATE VIEW launch AS
SELECT
    s.slug AS show, -- slug of the show
    e.slug AS episode, -- slug of the episode
    e.title AS title, -- title for people
    e.published_at AS published_at, -- when it was published
    (unixepoch(c.until) - unixepoch(e.published_at)) / 3600 AS age_hours, -- completed hours from publication to now
    e.id AS episode_id, -- the episode's key
    e.show_id AS show_id, -- the show's key
    c.since AS counted_since -- begin of counting_span.since
FROM show AS s
JOIN episode AS e ON e.show_id = s.id
CROSS JOIN counting_span AS c
WHERE e.published_at >= c.since AND e.published_at <= c.until;

-- How many downloads and listeners each episode has: one row for each.
CREATE VIEW episode_reach AS
SELECT
    s.slug AS show, -- slug of the show
    e.slug AS episode, -- slug of the episode
    e.title AS title, -- title for people
    e.published_at AS published_at, -- when it was published
    CASE WHEN l.episode_id IS NOT NULL THEN coalesce((
        SELECT cumulative FROM launch_total AS t
        WHERE t.episode_id = e.id AND t.age_hours < 24
        ORDER BY t.age_hours DESC
        LIMIT 1
    ), 0) END AS downloads_1d, -- downloads in the first 24 hours since publication, or so far; null where the launch was not seen
    CASE WHEN l.episode_id IS NOT NULL THEN coalesce((
        SELECT cumulative FROM launch_total AS t
        WHERE t.episode_id = e.id AND t.age_hours < 168
        ORDER BY t.age_hours DESC
        LIMIT 1
    ), 0) END AS downloads_7d, -- the same of the first 168 hours
    CASE WHEN l.episode_id IS NOT NULL THEN coalesce((
        SELECT cumulative FROM launch_total AS t
        WHERE t.episode_id = e.id
        ORDER BY t.age_hours DESC
        LIMIT 1
    ), 0) END AS downloads_30d, -- the same of the first 720 hours
    coalesce((SELECT sum(downloads) FROM episode_total AS t WHERE t.episode_id = e.id), 0) AS downloads_all, -- downloads of all time
    CASE WHEN l.episode_id IS NOT NULL THEN (
        SELECT listeners FROM reach_span AS r
        WHERE r.scope = 'episode' AND r.scope_id = e.id AND r.span = 'release_7d' AND r.starts = '1970-01-01'
    ) END AS listeners_7d, -- distinct listeners in the first 168 hours, or so far; null where nobody can tell
    (
        SELECT listeners FROM reach_span AS r
        WHERE r.scope = 'episode' AND r.scope_id = e.id AND r.span = 'all' AND r.starts = '1970-01-01'
    ) AS listeners_all, -- distinct listeners of all time; null where nobody can tell
    CAST((SELECT sum(body_bytes) FROM episode_total AS t WHERE t.episode_id = e.id) AS REAL)
        / nullif(e.bytes, 0) AS file_equivalents -- the older way of counting: all body bytes, bots included, by the file's size; null without one
FROM show AS s
JOIN episode AS e ON e.show_id = s.id
LEFT JOIN launch AS l ON l.episode_id = e.id;

-- How many downloads and listeners each show has: one row for each. Its last day is that of counting_span.until.
CREATE VIEW show_reach AS
SELECT
    s.slug AS show, -- slug of the show
    s.title AS title, -- title for people
    (SELECT count(*) FROM episode AS e WHERE e.show_id = s.id) AS episodes, -- episodes that the catalogue or the log ever named
    coalesce((
        SELECT sum(d.downloads) FROM episode AS e
        JOIN episode_day AS d ON d.episode_id = e.id
        WHERE e.show_id = s.id AND d.day BETWEEN date(c.until, '-6 days') AND date(c.until)
    ), 0) AS downloads_last_7d, -- downloads on the last seven UTC days, today included
    coalesce((
        SELECT sum(d.downloads) FROM episode AS e
        JOIN episode_day AS d ON d.episode_id = e.id
        WHERE e.show_id = s.id AND d.day BETWEEN date(c.until, '-27 days') AND date(c.until)
    ), 0) AS downloads_last_28d, -- downloads on the last 28 UTC days
    coalesce((
        SELECT sum(t.downloads) FROM episode AS e
        JOIN episode_total AS t ON t.episode_id = e.id
        WHERE e.show_id = s.id
    ), 0) AS downloads_all, -- downloads of all time
    (
        SELECT listeners FROM reach_span AS r
        WHERE r.scope = 'show' AND r.scope_id = s.id AND r.span = 'rolling_7'
            AND r.starts BETWEEN date(c.until, '-7 days') AND date(c.until, '-6 days')
        ORDER BY r.starts DESC
        LIMIT 1
    ) AS listeners_last_7d, -- distinct listeners on the last seven UTC days, up to yesterday while nobody has listened today; null where nobody can tell
    (
        SELECT listeners FROM reach_span AS r
        WHERE r.scope = 'show' AND r.scope_id = s.id AND r.span = 'rolling_28'
            AND r.starts BETWEEN date(c.until, '-28 days') AND date(c.until, '-27 days')
        ORDER BY r.starts DESC
        LIMIT 1
    ) AS listeners_last_28d, -- the same of the last 28 UTC days
    (
        SELECT listeners FROM reach_span AS r
        WHERE r.scope = 'show' AND r.scope_id = s.id AND r.span = 'all' AND r.starts = '1970-01-01'
    ) AS listeners_all, -- distinct listeners of all time; null where nobody can tell
    (
        SELECT sum(CAST(t.body_bytes AS REAL) / nullif(e.bytes, 0)) FROM episode AS e
        JOIN episode_total AS t ON t.episode_id = e.id
        WHERE e.show_id = s.id
    ) AS file_equivalents -- the older way of counting, over all episodes whose size is known
FROM show AS s
CROSS JOIN counting_span AS c;

-- Distinct listeners over the standard spans. Never add them up: who listens in two spans is in both.
CREATE VIEW listeners_span AS
SELECT
    'episode' AS scope, -- episode, show or all
    s.slug AS show, -- slug of the show; null where the scope is all
    e.slug AS episode, -- slug of the episode; null where the scope is not episode
    r.span AS span, -- day, week (from Monday), month, rolling_7, rolling_28, release_1d, release_7d, release_30d or all
    r.starts AS starts, -- first UTC day of the span; 1970-01-01 for release spans and for all
    r.listeners AS listeners -- distinct listeners with at least one valid request; null where nobody can tell
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

-- How launches went: downloads in each hour since publication that has begun, without gaps.
CREATE VIEW launch_curve AS
SELECT
    l.show AS show, -- slug of the show
    l.episode AS episode, -- slug of the episode
    l.title AS title, -- title for people
    l.published_at AS published_at, -- when it was published
    a.n AS age_hours, -- whole hours since publication, 0 to 719; the newest hour may still go on
    coalesce(t.downloads, 0) AS downloads, -- downloads in that hour
    coalesce(
        t.cumulative,
        (SELECT z.cumulative FROM launch_total AS z WHERE z.episode_id = l.episode_id ORDER BY z.age_hours DESC LIMIT 1),
        0
    ) AS cumulative -- downloads from publication to the end of that hour
FROM launch AS l
JOIN whole_number AS a ON a.n <= l.age_hours
LEFT JOIN launch_total AS t ON t.episode_id = l.episode_id AND t.age_hours = a.n;

-- How a launch goes beside earlier ones: the cumulative downloads of each completed hour since publication, with the
-- quartiles of the show's own earlier episodes at the same age: the latest 50 before it, for shows change. Null with
-- fewer than three. Percentiles are interpolated linearly. SQLite has neither percentiles nor arrays: the earlier
-- numbers are a sorted JSON array, made once a row (the window function keeps SQLite from making it for each use).
CREATE VIEW launch_pace AS
SELECT
    show AS show, -- slug of the show
    episode AS episode, -- slug of the episode
    title AS title, -- title for people
    published_at AS published_at, -- when it was published
    age_hours AS age_hours, -- whole hours since publication, 0 to 719; completed ones only
    cumulative AS cumulative, -- downloads from publication to the end of that hour
    earlier_episodes AS earlier_episodes, -- how many earlier episodes it is compared with, 50 at most
    p25 AS p25, -- a quarter of the earlier episodes had at most so many downloads at this age
    median AS median, -- half of them had at most so many
    p75 AS p75, -- three quarters of them had at most so many
    cumulative - median AS difference, -- downloads above the median; negative below
    cumulative / nullif(median, 0) AS ratio -- downloads as a multiple of the median; null where that is 0
FROM (
    SELECT
        *,
        CASE WHEN earlier_episodes >= 3 THEN
            (earlier ->> ((earlier_episodes - 1) / 4)) + (earlier_episodes - 1) % 4 / 4.0
                * ((earlier ->> ((earlier_episodes + 2) / 4)) - (earlier ->> ((earlier_episodes - 1) / 4)))
        END AS p25,
        CASE WHEN earlier_episodes >= 3 THEN
            ((earlier ->> ((earlier_episodes - 1) / 2)) + (earlier ->> (earlier_episodes / 2))) / 2.0
        END AS median,
        CASE WHEN earlier_episodes >= 3 THEN
            (earlier ->> ((earlier_episodes - 1) * 3 / 4)) + (earlier_episodes - 1) * 3 % 4 / 4.0
                * ((earlier ->> (earlier_episodes * 3 / 4)) - (earlier ->> ((earlier_episodes - 1) * 3 / 4)))
        END AS p75
    FROM (
        SELECT
            *,
            json_array_length(earlier) AS earlier_episodes,
            row_number() OVER (PARTITION BY show, episode, published_at, age_hours) AS once
        FROM (
            SELECT
                l.show,
                l.episode,
                l.title,
                l.published_at,
                a.n AS age_hours,
                coalesce(
                    t.cumulative,
                    (SELECT z.cumulative FROM launch_total AS z WHERE z.episode_id = l.episode_id ORDER BY z.age_hours DESC LIMIT 1),
                    0
                ) AS cumulative,
                (
                    SELECT json_group_array(downloads)
                    FROM (
                        SELECT coalesce(
                            u.cumulative,
                            (SELECT z.cumulative FROM launch_total AS z WHERE z.episode_id = p.id ORDER BY z.age_hours DESC LIMIT 1),
                            0
                        ) AS downloads
                        FROM (
                            SELECT x.id FROM episode AS x
                            WHERE x.show_id = l.show_id AND x.published_at >= l.counted_since
                                AND (x.published_at, x.id) < (l.published_at, l.episode_id)
                            ORDER BY x.published_at DESC, x.id DESC
                            LIMIT 50
                        ) AS p
                        LEFT JOIN launch_total AS u ON u.episode_id = p.id AND u.age_hours = a.n
                        ORDER BY downloads
                    )
                ) AS earlier
            FROM launch AS l
            JOIN whole_number AS a ON a.n < l.age_hours
            LEFT JOIN launch_total AS t ON t.episode_id = l.episode_id AND t.age_hours = a.n
        )
    )
);

-- What the first week was going to bring, as could be told at the end of each of its hours, and what it brought. The
-- downloads so far are multiplied by how many times over the show's earlier episodes (the latest 50 before it, those
-- whose week was complete by then) went on to have in their weeks: the median, and an interval.
CREATE VIEW launch_projection_hour AS
SELECT
    show AS show, -- slug of the show
    episode AS episode, -- slug of the episode
    title AS title, -- title for people
    published_at AS published_at, -- when it was published
    age_hours AS age_hours, -- whole hours since publication, 0 to 167; completed ones only
    cumulative AS downloads, -- downloads from publication to the end of that hour
    nullif(cumulative, 0) * expected AS expected_7d, -- expected downloads of the first 168 hours; null with fewer than three earlier episodes
    nullif(cumulative, 0) * low AS low_7d, -- lower end of the interval that holds four weeks of five; with fewer than nine earlier episodes, as the lowest of them
    nullif(cumulative, 0) * high AS high_7d, -- its upper end; with fewer than nine, as the highest of them
    earlier_episodes AS earlier_episodes, -- how many earlier episodes it goes by, 50 at most
    reached AS now_hours, -- completed hours from publication to now
    CASE WHEN reached >= 168 THEN week END AS downloads_7d -- what it came to; null until then
FROM (
    SELECT
        *,
        CASE WHEN earlier_episodes >= 3 THEN
            ((earlier ->> ((earlier_episodes - 1) / 2)) + (earlier ->> (earlier_episodes / 2))) / 2.0
        END AS expected,
        CASE
            WHEN earlier_episodes >= 9 THEN (earlier ->> ((earlier_episodes - 9) / 10)) + (earlier_episodes + 1) % 10 / 10.0
                * ((earlier ->> ((earlier_episodes - 9) / 10 + 1)) - (earlier ->> ((earlier_episodes - 9) / 10)))
            WHEN earlier_episodes >= 3 THEN earlier ->> 0
        END AS low,
        CASE
            WHEN earlier_episodes > 9 THEN (earlier ->> ((earlier_episodes * 9 - 1) / 10)) + (earlier_episodes + 1) * 9 % 10 / 10.0
                * ((earlier ->> ((earlier_episodes * 9 - 1) / 10 + 1)) - (earlier ->> ((earlier_episodes * 9 - 1) / 10)))
            WHEN earlier_episodes >= 3 THEN earlier ->> (earlier_episodes - 1)
        END AS high
    FROM (
        SELECT
            *,
            json_array_length(earlier) AS earlier_episodes,
            row_number() OVER (PARTITION BY show, episode, published_at, age_hours, reached) AS once
        FROM (
            SELECT
                l.show,
                l.episode,
                l.title,
                l.published_at,
                a.n AS age_hours,
                l.age_hours AS reached,
                coalesce((
                    SELECT z.cumulative FROM launch_total AS z
                    WHERE z.episode_id = l.episode_id AND z.age_hours <= a.n
                    ORDER BY z.age_hours DESC
                    LIMIT 1
                ), 0) AS cumulative,
                coalesce((
                    SELECT z.cumulative FROM launch_total AS z
                    WHERE z.episode_id = l.episode_id AND z.age_hours < 168
                    ORDER BY z.age_hours DESC
                    LIMIT 1
                ), 0) AS week,
                (
                    SELECT json_group_array(ratio)
                    FROM (
                        SELECT CAST(p.week AS REAL) / u.cumulative AS ratio
                        FROM (
                            SELECT x.id, (
                                SELECT z.cumulative FROM launch_total AS z
                                WHERE z.episode_id = x.id AND z.age_hours < 168
                                ORDER BY z.age_hours DESC
                                LIMIT 1
                            ) AS week
                            FROM (
                                SELECT x.id, x.published_at FROM episode AS x
                                WHERE x.show_id = l.show_id AND x.published_at >= l.counted_since
                                    AND (x.published_at, x.id) < (l.published_at, l.episode_id)
                                ORDER BY x.published_at DESC, x.id DESC
                                LIMIT 50
                            ) AS x
                            WHERE unixepoch(l.published_at) - unixepoch(x.published_at) >= (167 - a.n) * 3600
                        ) AS p
                        JOIN launch_total AS u ON u.episode_id = p.id AND u.age_hours = (
                            SELECT max(z.age_hours) FROM launch_total AS z
                            WHERE z.episode_id = p.id AND z.age_hours <= a.n
                        )
                        WHERE u.cumulative > 0
                        ORDER BY ratio
                    )
                ) AS earlier
            FROM launch AS l
            JOIN whole_number AS a ON a.n < l.age_hours AND a.n < 168
        )
    )
);

-- What the first week of each episode that is in it is going to bring: one row for each.
CREATE VIEW launch_projection AS
SELECT
    show AS show, -- slug of the show
    episode AS episode, -- slug of the episode
    title AS title, -- title for people
    published_at AS published_at, -- when it was published
    now_hours AS age_hours, -- completed hours since publication, 1 to 167
    downloads AS downloads, -- downloads in these hours
    expected_7d AS expected_7d, -- as in launch_projection_hour
    low_7d AS low_7d, -- as in launch_projection_hour
    high_7d AS high_7d, -- as in launch_projection_hour
    earlier_episodes AS earlier_episodes -- as in launch_projection_hour
FROM launch_projection_hour
WHERE now_hours < 168 AND age_hours = now_hours - 1;

-- How the downloads of each episode were fetched, and how far: one row for each with downloads.
CREATE VIEW listen_summary AS
SELECT
    show AS show, -- slug of the show
    episode AS episode, -- slug of the episode
    title AS title, -- title for people
    published_at AS published_at, -- when it was published
    downloads AS downloads, -- downloads of all time
    bulk_downloads AS bulk_downloads, -- those fetched as a file: they say nothing about listening
    progressive_downloads AS progressive_downloads, -- those fetched bit by bit, as a player does
    sessions AS sessions, -- progressive downloads behind the curve: those whose file's size is known
    CAST(sessions AS REAL) / downloads AS coverage, -- sessions as a share of all downloads, 0 to 1
    median_furthest AS median_furthest -- half of these sessions ended by this share of the content, 0.01 to 1; null below five sessions
FROM (
    SELECT
        *,
        CASE WHEN sessions >= 5 THEN (
            SELECT (f.bin + 1) / 100.0
            FROM (
                SELECT bin, sum(sum(furthest)) OVER (ORDER BY bin) AS so_far
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
            (SELECT sum(downloads) FROM episode_total WHERE episode_id = e.id) AS downloads,
            (SELECT sum(bulk_downloads) FROM episode_total WHERE episode_id = e.id) AS bulk_downloads,
            (SELECT sum(progressive_downloads) FROM episode_total WHERE episode_id = e.id) AS progressive_downloads,
            coalesce((SELECT sum(furthest) FROM listen_bin WHERE episode_id = e.id), 0) AS sessions,
            row_number() OVER (PARTITION BY s.slug, e.slug, e.published_at) AS once_a_sum
        FROM show AS s
        JOIN episode AS e ON e.show_id = s.id
    ) AS t
) AS u
WHERE downloads > 0;

-- Which parts of an episode progressive downloads received, by hundredths of the content: an upper bound of listening,
-- for players read ahead. No rows below five sessions.
CREATE VIEW listen_through AS
SELECT
    l.show AS show, -- slug of the show
    l.episode AS episode, -- slug of the episode
    l.title AS title, -- title for people
    b.n AS bin, -- hundredth of the content, 0 to 99
    e.duration_seconds * b.n / 100 AS starts_seconds, -- where it begins in playing time, at a constant bit rate; null without a duration
    coalesce((SELECT sum(covered) FROM listen_bin AS c WHERE c.episode_id = e.id AND c.bin = b.n), 0)
        / CAST(l.sessions AS REAL) AS share, -- sessions that received all of it as a share of sessions, 0 to 1
    l.sessions AS sessions, -- as in listen_summary
    l.coverage AS coverage, -- as in listen_summary: what share of all downloads the curve speaks for
    l.median_furthest AS median_furthest -- as in listen_summary
FROM listen_summary AS l
JOIN show AS s ON s.slug = l.show
JOIN episode AS e ON e.show_id = s.id AND e.slug = l.episode
JOIN whole_number AS b ON b.n < 100
WHERE l.sessions >= 5;

-- How many sessions received the beginning of each chapter. No rows below five sessions.
CREATE VIEW chapter_reach AS
SELECT
    l.show AS show, -- slug of the show
    l.episode AS episode, -- slug of the episode
    l.title AS title, -- title of the episode
    c.number AS number, -- the chapter's place in the episode, from 1
    c.title AS chapter, -- title of the chapter
    c.start_seconds AS starts_seconds, -- where it begins in playing time
    CAST(c.start_seconds * 100 / e.duration_seconds AS INTEGER) AS bin, -- the hundredth of the content in which it begins, at a constant bit rate
    coalesce((
        SELECT sum(b.covered) FROM listen_bin AS b
        WHERE b.episode_id = e.id AND b.bin = CAST(c.start_seconds * 100 / e.duration_seconds AS INTEGER)
    ), 0) / CAST(l.sessions AS REAL) AS share, -- sessions that received all of that hundredth as a share of sessions, 0 to 1
    l.sessions AS sessions, -- as in listen_summary
    l.coverage AS coverage -- as in listen_summary
FROM listen_summary AS l
JOIN show AS s ON s.slug = l.show
JOIN episode AS e ON e.show_id = s.id AND e.slug = l.episode
JOIN chapter AS c ON c.episode_id = e.id AND c.start_seconds < e.duration_seconds
WHERE l.sessions >= 5;

-- What was counted by episode and UTC day.
CREATE VIEW downloads_day AS
SELECT
    show AS show, -- slug of the show
    episode AS episode, -- slug of the episode
    day AS day, -- UTC day
    downloads AS downloads, -- downloads that began on that day
    bulk_downloads AS bulk_downloads, -- those fetched as a file
    progressive_downloads AS progressive_downloads, -- those fetched bit by bit
    (
        SELECT listeners FROM reach_span AS r
        WHERE r.scope = 'episode' AND r.scope_id = d.episode_id AND r.span = 'day' AND r.starts = d.day
    ) AS listeners, -- distinct listeners on that day; null where nobody can tell
    requests AS requests, -- valid requests
    delivered_bytes AS delivered_bytes -- bytes delivered to sessions, each byte of the file once a session
FROM (
    SELECT
        s.slug AS show,
        e.slug AS episode,
        d.day,
        d.episode_id,
        sum(d.downloads) AS downloads,
        sum(d.bulk_downloads) AS bulk_downloads,
        sum(d.progressive_downloads) AS progressive_downloads,
        sum(d.requests) AS requests,
        sum(d.delivered_bytes) AS delivered_bytes
    FROM show AS s
    JOIN episode AS e ON e.show_id = s.id
    JOIN episode_day AS d ON d.episode_id = e.id
    GROUP BY s.slug, e.slug, d.day, d.episode_id
) AS d;

-- What was counted by show and UTC day.
CREATE VIEW show_day AS
SELECT
    show AS show, -- slug of the show
    day AS day, -- UTC day
    downloads AS downloads, -- downloads that began on that day
    (
        SELECT listeners FROM reach_span AS r
        WHERE r.scope = 'show' AND r.scope_id = d.show_id AND r.span = 'day' AND r.starts = d.day
    ) AS listeners, -- distinct listeners of the show on that day; null where nobody can tell
    requests AS requests, -- valid requests
    delivered_bytes AS delivered_bytes -- bytes delivered to sessions, each byte of the file once a session
FROM (
    SELECT
        s.slug AS show,
        d.day,
        s.id AS show_id,
        sum(d.downloads) AS downloads,
        sum(d.requests) AS requests,
        sum(d.delivered_bytes) AS delivered_bytes
    FROM show AS s
    JOIN episode AS e ON e.show_id = s.id
    JOIN episode_day AS d ON d.episode_id = e.id
    GROUP BY s.slug, d.day, s.id
) AS d;

-- Downloads by episode and UTC hour.
CREATE VIEW downloads_hour AS
SELECT
    s.slug AS show, -- slug of the show
    e.slug AS episode, -- slug of the episode
    h.hour AS hour, -- start of the UTC hour
    sum(h.downloads) AS downloads -- downloads that began in it
FROM show AS s
JOIN episode AS e ON e.show_id = s.id
JOIN episode_hour AS h ON h.episode_id = e.id
GROUP BY s.slug, e.slug, h.hour;

-- Who downloads: country, app and device class, so that any of them can be crossed.
CREATE VIEW audience_day AS
SELECT
    s.slug AS show, -- slug of the show
    e.slug AS episode, -- slug of the episode
    a.day AS day, -- UTC day
    a.country AS country, -- two-letter code; empty where the log does not say
    a.app AS app, -- app, browser or library by its user agent; unknown where no pattern matches
    a.device AS device, -- phone, tablet, desktop, speaker, car, tv, watch, console or unknown
    sum(a.downloads) AS downloads -- downloads
FROM show AS s
JOIN episode AS e ON e.show_id = s.id
JOIN audience_slice AS a ON a.episode_id = e.id
GROUP BY s.slug, e.slug, a.day, a.country, a.app, a.device;

-- Downloads by region of a country.
CREATE VIEW audience_region_day AS
SELECT
    s.slug AS show, -- slug of the show
    e.slug AS episode, -- slug of the episode
    r.day AS day, -- UTC day
    r.country AS country, -- two-letter code; empty where the log does not say
    r.region AS region, -- region as the CDN names it; empty where the log does not say
    sum(r.downloads) AS downloads -- downloads
FROM show AS s
JOIN episode AS e ON e.show_id = s.id
JOIN region_day AS r ON r.episode_id = e.id
GROUP BY s.slug, e.slug, r.day, r.country, r.region;

-- Downloads by the class of page that led to them.
CREATE VIEW audience_referrer_day AS
SELECT
    s.slug AS show, -- slug of the show
    e.slug AS episode, -- slug of the episode
    r.day AS day, -- UTC day
    r.referrer AS referrer, -- none, own_site, player, search, social or other
    sum(r.downloads) AS downloads -- downloads
FROM show AS s
JOIN episode AS e ON e.show_id = s.id
JOIN referrer_day AS r ON r.episode_id = e.id
GROUP BY s.slug, e.slug, r.day, r.referrer;

-- What was not counted, why, and by which rule of which version.
CREATE VIEW exclusions_day AS
SELECT
    s.slug AS show, -- slug of the show
    e.slug AS episode, -- slug of the episode
    x.day AS day, -- UTC day
    x.reason AS reason, -- why the requests were not counted
    x.rule AS rule, -- what decided: the list with its version and the pattern in it, or the field with its value; empty where the reason says all
    sum(x.requests) AS requests, -- requests
    sum(x.body_bytes) AS body_bytes -- their body bytes
FROM show AS s
JOIN episode AS e ON e.show_id = s.id
JOIN exclusion_day AS x ON x.episode_id = e.id
GROUP BY s.slug, e.slug, x.day, x.reason, x.rule;

-- The same rules on a day and on the day before, side by side: what changed when a list did. A rule's version is part
-- of its name, so a new version's rules begin where the old one's end.
CREATE VIEW exclusion_changes AS
SELECT
    s.slug AS show, -- slug of the show
    d.day AS day, -- UTC day
    x.reason AS reason, -- why the requests were not counted
    x.rule AS rule, -- as in exclusions_day
    sum(CASE WHEN x.day = d.day THEN x.requests ELSE 0 END) AS requests, -- requests on that day
    sum(CASE WHEN x.day < d.day THEN x.requests ELSE 0 END) AS requests_before, -- requests on the day before
    sum(CASE WHEN x.day = d.day THEN x.body_bytes ELSE 0 END) AS body_bytes, -- body bytes on that day
    sum(CASE WHEN x.day < d.day THEN x.body_bytes ELSE 0 END) AS body_bytes_before -- body bytes on the day before
FROM (SELECT DISTINCT day FROM fate_day) AS d
-- In this order: the two days of each episode are looked up.
CROSS JOIN show AS s
CROSS JOIN episode AS e ON e.show_id = s.id
CROSS JOIN exclusion_day AS x ON x.episode_id = e.id AND x.day IN (d.day, date(d.day, '-1 day'))
GROUP BY s.slug, d.day, x.reason, x.rule;

-- Who subscribes to a feed, as the user agents of its requests say.
CREATE VIEW subscribers_day AS
SELECT
    f.feed AS feed, -- path of the feed
    f.service AS service, -- service that reported subscribers; empty in the row of all clients that report none
    f.day AS day, -- UTC day
    max(f.subscribers) AS subscribers, -- largest number the service reported on that day; 0 in the row without a service
    CASE WHEN count(*) = 1 OR max(f.clients) = 0 THEN max(f.clients) END AS clients -- distinct clients that reported none; null where several instances saw some
FROM feed_day AS f
GROUP BY f.feed, f.service, f.day;

-- What the CDN did: every request for an episode, counted or not.
CREATE VIEW traffic_day AS
SELECT
    s.slug AS show, -- slug of the show
    e.slug AS episode, -- slug of the episode
    t.day AS day, -- UTC day
    t.status AS status, -- HTTP status
    t.pop AS pop, -- the CDN's point of presence; empty where the log does not say
    t.cache_state AS cache_state, -- cache state as logged; empty where the log does not say
    sum(t.requests) AS requests, -- requests
    sum(t.body_bytes) AS body_bytes -- their body bytes
FROM show AS s
JOIN episode AS e ON e.show_id = s.id
JOIN traffic_slice AS t ON t.episode_id = e.id
GROUP BY s.slug, e.slug, t.day, t.status, t.pop, t.cache_state;

-- Both ways of counting side by side, and where the difference comes from, in bytes. Always, exactly:
--     body_bytes = downloads × file_bytes − partial_bytes
--                + refetched_bytes + bot_bytes + network_bytes + probe_bytes + other_bytes
-- Divided by file_bytes, these are file equivalents.
CREATE VIEW parity AS
SELECT
    show AS show, -- slug of the show
    episode AS episode, -- slug of the episode
    day AS day, -- UTC day
    downloads AS downloads, -- downloads that began on that day
    (
        SELECT listeners FROM reach_span AS r
        WHERE r.scope = 'episode' AND r.scope_id = d.episode_id AND r.span = 'day' AND r.starts = d.day
    ) AS listeners, -- distinct listeners; null where nobody can tell
    requests AS requests, -- valid requests
    CAST(body_bytes AS REAL) / file_bytes AS file_equivalents, -- the older way: body_bytes by file_bytes
    addresses AS addresses, -- the older way: distinct addresses; null where several instances saw some
    body_bytes AS body_bytes, -- the older way: body bytes of all requests, but for answers 301 and 404
    file_bytes AS file_bytes, -- the file's size; null where the catalogue has none
    downloads * file_bytes - delivered_bytes AS partial_bytes, -- what downloads lack of whole files, less what sessions that are no downloads received; null without a size
    body_bytes - delivered_bytes - (bot_bytes + network_bytes + probe_bytes + other_bytes) AS refetched_bytes, -- bytes of valid requests that their session had already received
    bot_bytes AS bot_bytes, -- bytes sent to bots
    network_bytes AS network_bytes, -- bytes sent to data centres, VPNs and blocked networks
    probe_bytes AS probe_bytes, -- bytes sent to probes
    other_bytes AS other_bytes -- bytes of everything else that is not counted: other methods and statuses, watches, before the release
FROM (
    SELECT
        *,
        coalesce((
            SELECT sum(body_bytes) FROM exclusion_day AS x
            WHERE x.day = d.day AND x.episode_id = d.episode_id AND x.reason = 'bot'
        ), 0) AS bot_bytes,
        coalesce((
            SELECT sum(body_bytes) FROM exclusion_day AS x
            WHERE x.day = d.day AND x.episode_id = d.episode_id AND x.reason IN ('datacenter', 'vpn', 'blocked')
        ), 0) AS network_bytes,
        coalesce((
            SELECT sum(body_bytes) FROM exclusion_day AS x
            WHERE x.day = d.day AND x.episode_id = d.episode_id AND x.reason = 'probe'
        ), 0) AS probe_bytes,
        coalesce((
            SELECT sum(body_bytes) FROM exclusion_day AS x
            WHERE x.day = d.day AND x.episode_id = d.episode_id
                AND x.reason NOT IN ('bot', 'datacenter', 'vpn', 'blocked', 'probe')
        ), 0) - coalesce((
            SELECT sum(body_bytes) FROM traffic_slice AS t
            WHERE t.episode_id = d.episode_id AND t.day = d.day AND t.status IN (301, 404)
        ), 0) AS other_bytes,
        row_number() OVER (PARTITION BY show, episode, day) AS once
    FROM (
        SELECT
            s.slug AS show,
            e.slug AS episode,
            d.day,
            d.episode_id,
            nullif(e.bytes, 0) AS file_bytes,
            sum(d.downloads) AS downloads,
            sum(d.requests) AS requests,
            sum(d.delivered_bytes) AS delivered_bytes,
            sum(d.body_bytes) AS body_bytes,
            CASE WHEN count(*) = 1 THEN min(d.addresses) END AS addresses
        FROM show AS s
        JOIN episode AS e ON e.show_id = s.id
        JOIN episode_day AS d ON d.episode_id = e.id
        GROUP BY s.slug, e.slug, d.day, d.episode_id
    ) AS d
) AS d;
