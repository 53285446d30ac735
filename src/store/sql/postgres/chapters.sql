-- A row that says the same already is left alone.
INSERT INTO chapter AS c (episode_id, number, start_seconds, title)
SELECT new.episode_id, new.number, new.start_seconds, new.title
FROM unnest($1::bigint[], $2::integer[], $3::double precision[], $4::text[])
    AS new (episode_id, number, start_seconds, title)
ON CONFLICT (episode_id, number) DO UPDATE SET start_seconds = excluded.start_seconds, title = excluded.title
WHERE (c.start_seconds, c.title) IS DISTINCT FROM (excluded.start_seconds, excluded.title)
