SELECT s.slug AS "show", e.slug, e.title, t.downloads
FROM (
    SELECT episode_id, CAST(sum(downloads) AS bigint) AS downloads
    FROM episode_day
    WHERE $1 IS NULL OR day >= $1
    GROUP BY episode_id
) AS t
JOIN episode AS e ON e.id = t.episode_id
JOIN show AS s ON s.id = e.show_id
WHERE t.downloads > 0
ORDER BY t.downloads DESC, s.slug, e.slug
LIMIT $2
