-- Three years of ten shows with 200 episodes each, up to 2026-11-01: the rows of a service that never stopped.
-- Numbers come from the keys, so that each run has the same.
BEGIN;
-- The keys are right by construction; checking them takes longer than writing the rows.
ALTER TABLE episode_day ENABLE ALWAYS TRIGGER episode_day_inserted;
ALTER TABLE launch_hour ENABLE ALWAYS TRIGGER launch_hour_inserted;
SET LOCAL session_replication_role = replica;
SELECT castmeter_add_month((date '2023-11-01' + n * interval '1 month')::date) FROM generate_series(0, 36) AS n;
CREATE TEMP TABLE number ON COMMIT DROP AS SELECT n::integer FROM generate_series(0, 1999) AS n;
ANALYZE number;

INSERT INTO instance (id, journal_id, name, epoch, position, committed_at)
OVERRIDING SYSTEM VALUE VALUES (1, '00000000000000000000000000000001', 'bench', 1, 1, '2026-11-01T00:00:00Z');
INSERT INTO show (id, slug, title) OVERRIDING SYSTEM VALUE SELECT n, 'show-' || n, 'Show ' || n FROM number WHERE n BETWEEN 1 AND 10;
-- One after the other, 13 hours apart: 94,600,000 s ÷ 2000.
INSERT INTO episode (id, show_id, slug, path, title, published_at, bytes, duration_seconds)
OVERRIDING SYSTEM VALUE SELECT
    n + 1, n % 10 + 1, 'episode-' || n, '/show-' || (n % 10 + 1) || '/' || n || '.mp3', 'Episode ' || n,
    to_timestamp(1698883200 + n * 47300), 40000000 + n * 1000, 2500.0
FROM number;
INSERT INTO fate_day (instance_id, day, source, fate, reason, requests, body_bytes)
SELECT 1, date '2023-11-01' + number.n, 'fastly', CASE r.n WHEN 0 THEN 'valid' ELSE 'ignored' END,
    CASE WHEN r.n > 0 THEN 'reason-' || r.n END, 1000 + number.n, 1000000
FROM number, (SELECT n FROM number WHERE n < 16) AS r
WHERE number.n < 1096;

-- Each episode on each day since its publication.
CREATE TEMP TABLE life ON COMMIT DROP AS
SELECT e.id AS episode_id, a.n AS age, (e.published_at AT TIME ZONE 'UTC')::date + a.n AS day,
    1 + (500 + 400 * (e.show_id % 4) + e.id * 7919 % 300) / ((a.n + 1) * (a.n + 1)) AS downloads
FROM episode AS e
JOIN number AS a ON a.n < 1096 AND (e.published_at AT TIME ZONE 'UTC')::date + a.n < date '2026-11-01'
ORDER BY 1, 2;
ANALYZE life;

INSERT INTO episode_day
    (episode_id, day, downloads, listeners, requests, delivered_bytes, body_bytes, addresses, instance_id, bulk_downloads, progressive_downloads)
SELECT episode_id, day, downloads, downloads, downloads * 3, downloads * 30000000::bigint, downloads * 50000000::bigint, downloads, 1, downloads - downloads / 3, downloads / 3
FROM life ORDER BY episode_id, day;
INSERT INTO episode_hour (episode_id, hour, downloads, instance_id)
SELECT episode_id, day::timestamp AT TIME ZONE 'UTC' + h.n * interval '1 hour', 1 + downloads / 24, 1
FROM life, number AS h
WHERE h.n < CASE WHEN age < 30 THEN 24 ELSE 2 END
ORDER BY episode_id, day, h.n;
INSERT INTO launch_hour (episode_id, age_hours, downloads, instance_id)
SELECT episode_id, age * 24 + h.n, 1 + downloads / (20 + h.n) + episode_id * h.n % 3, 1
FROM life, number AS h
WHERE age < 30 AND h.n < 24
ORDER BY episode_id, age, h.n;
INSERT INTO listen_bin (episode_id, bin, covered, furthest, instance_id)
SELECT e.id, b.n, 1000 - b.n * 6, CASE b.n WHEN 99 THEN 406 ELSE 6 END, 1
FROM episode AS e, number AS b
WHERE b.n < 100;
INSERT INTO audience_slice (episode_id, day, country, app, device, downloads, instance_id)
SELECT episode_id, day, 'C' || (k.n % 8), 'app-' || (k.n % 5), 'phone', 1 + downloads / 40, 1
FROM life, number AS k
WHERE k.n < CASE WHEN age < 7 THEN 40 WHEN age < 30 THEN 10 ELSE 3 END;
INSERT INTO region_day (episode_id, day, country, region, downloads, instance_id)
SELECT episode_id, day, 'C' || (k.n % 8), 'R' || k.n, 1 + downloads / 20, 1
FROM life, number AS k
WHERE k.n < CASE WHEN age < 7 THEN 20 WHEN age < 30 THEN 5 ELSE 1 END;
INSERT INTO referrer_day (episode_id, day, referrer, downloads, instance_id)
SELECT episode_id, day, 'class-' || k.n, 1 + downloads / 5, 1
FROM life, number AS k
WHERE k.n < CASE WHEN age < 30 THEN 5 ELSE 1 END;
INSERT INTO exclusion_day (day, episode_id, reason, rule, requests, body_bytes, instance_id)
SELECT day, episode_id, CASE k.n % 4 WHEN 0 THEN 'bot' WHEN 1 THEN 'probe' WHEN 2 THEN 'datacenter' ELSE 'status' END,
    CASE k.n % 4 WHEN 0 THEN 'built-in ' || to_char(day, 'YYYY-MM') || ': bot ' || k.n ELSE '' || k.n / 4 END, 1 + downloads / 9, 1000000, 1
FROM life, number AS k
WHERE k.n < CASE WHEN age < 30 THEN 8 ELSE 3 END
ORDER BY 1, 2, 3, 4;
INSERT INTO traffic_slice (episode_id, day, status, pop, cache_state, requests, body_bytes, instance_id)
SELECT episode_id, day, CASE k.n % 3 WHEN 0 THEN 206 WHEN 1 THEN 200 ELSE 404 END, 'POP' || k.n, 'HIT', 1 + downloads, 1000, 1
FROM life, number AS k
WHERE k.n < CASE WHEN age < 30 THEN 12 ELSE 3 END;
INSERT INTO feed_day (feed, service, day, subscribers, clients, instance_id)
SELECT '/show-' || s.n || '/feed.xml', CASE k.n WHEN 0 THEN '' ELSE 'service-' || k.n END, date '2023-11-01' + d.n, k.n * 100, 3, 1
FROM number AS s, number AS k, number AS d
WHERE s.n BETWEEN 1 AND 10 AND k.n < 10 AND d.n < 1096;

INSERT INTO reach_span (scope, scope_id, span, starts, listeners)
SELECT 'episode', episode_id, 'day', day, downloads FROM life;
INSERT INTO reach_span (scope, scope_id, span, starts, listeners)
SELECT 'episode', e.id, k.span, date '1970-01-01', 1000 + e.id
FROM episode AS e, (SELECT 'release_1d' AS span UNION ALL SELECT 'release_7d' UNION ALL SELECT 'release_30d' UNION ALL SELECT 'all') AS k;
INSERT INTO reach_span (scope, scope_id, span, starts, listeners)
SELECT CASE s.n WHEN 0 THEN 'all' ELSE 'show' END, s.n, k.span, date '2023-11-01' + d.n, 1000 + d.n
FROM number AS s, number AS d, (SELECT 'day' AS span UNION ALL SELECT 'rolling_7' UNION ALL SELECT 'rolling_28') AS k
WHERE s.n <= 10 AND d.n < 1096;
INSERT INTO reach_span (scope, scope_id, span, starts, listeners)
SELECT CASE n WHEN 0 THEN 'all' ELSE 'show' END, n, 'all', date '1970-01-01', 100000 FROM number WHERE n <= 10;
COMMIT;
ANALYZE;
