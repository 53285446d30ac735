SELECT
    show, episode, bin, starts_seconds, share, sessions, coverage,
    CAST(median_furthest AS double precision) AS median_furthest
FROM listen_through
WHERE {filters}
ORDER BY show, episode, bin
