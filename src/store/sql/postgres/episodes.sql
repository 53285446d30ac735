-- A row that says the same already is left alone. What is not known any more stays.
INSERT INTO episode AS e (show_id, slug, path, title, published_at, bytes, duration_seconds)
SELECT s.id, new.slug, new.path, new.title, new.published_at, new.bytes, new.duration_seconds
FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::timestamptz[], $6::bigint[], $7::double precision[])
    AS new (show, slug, path, title, published_at, bytes, duration_seconds)
JOIN show AS s ON s.slug = new.show
ORDER BY new.show COLLATE "C", new.slug COLLATE "C"
ON CONFLICT (show_id, slug) DO UPDATE SET
    path = excluded.path,
    title = coalesce(excluded.title, e.title),
    published_at = coalesce(excluded.published_at, e.published_at),
    bytes = coalesce(excluded.bytes, e.bytes),
    duration_seconds = coalesce(excluded.duration_seconds, e.duration_seconds)
WHERE (e.path, e.title, e.published_at, e.bytes, e.duration_seconds) IS DISTINCT FROM (
    excluded.path,
    coalesce(excluded.title, e.title),
    coalesce(excluded.published_at, e.published_at),
    coalesce(excluded.bytes, e.bytes),
    coalesce(excluded.duration_seconds, e.duration_seconds)
)
