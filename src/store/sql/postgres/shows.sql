-- Sorted, as every write is, so that two instances cannot wait for each other.
INSERT INTO show AS s (slug, title)
SELECT slug, title
FROM unnest($1::text[], $2::text[]) AS new (slug, title)
ORDER BY slug COLLATE "C"
ON CONFLICT (slug) DO UPDATE SET title = excluded.title
WHERE excluded.title IS NOT NULL AND s.title IS DISTINCT FROM excluded.title
