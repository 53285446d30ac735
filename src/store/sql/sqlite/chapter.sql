-- A row that says the same already is left alone.
INSERT INTO chapter AS c (episode_id, number, start_seconds, title)
VALUES ($1, $2, $3, $4)
ON CONFLICT (episode_id, number) DO UPDATE SET start_seconds = excluded.start_seconds, title = excluded.title
WHERE (c.start_seconds, c.title) IS NOT (excluded.start_seconds, excluded.title)
