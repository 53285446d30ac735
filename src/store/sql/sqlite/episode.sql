-- A row that says the same already is left alone. What is not known any more stays.
INSERT INTO episode AS e (show_id, slug, path, title, published_at, bytes, duration_seconds)
VALUES ($1, $2, $3, $4, $5, $6, $7)
ON CONFLICT (show_id, slug) DO UPDATE SET
    path = excluded.path,
    title = coalesce(excluded.title, e.title),
    published_at = coalesce(excluded.published_at, e.published_at),
    bytes = coalesce(excluded.bytes, e.bytes),
    duration_seconds = coalesce(excluded.duration_seconds, e.duration_seconds)
WHERE (e.path, e.title, e.published_at, e.bytes, e.duration_seconds) IS NOT (
    excluded.path,
    coalesce(excluded.title, e.title),
    coalesce(excluded.published_at, e.published_at),
    coalesce(excluded.bytes, e.bytes),
    coalesce(excluded.duration_seconds, e.duration_seconds)
)
