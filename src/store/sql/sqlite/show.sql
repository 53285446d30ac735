INSERT INTO show AS s (slug, title)
VALUES ($1, $2)
ON CONFLICT (slug) DO UPDATE SET title = excluded.title
WHERE excluded.title IS NOT NULL AND s.title IS NOT excluded.title
