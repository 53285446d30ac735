-- Four chapters for each episode whose duration is known.
INSERT INTO chapter (episode_id, number, start_seconds, title)
SELECT e.id, n, (n - 1) * e.duration_seconds / 4, 'Chapter ' || n
FROM episode AS e
CROSS JOIN generate_series(1, 4) AS n
WHERE e.duration_seconds > 0;
