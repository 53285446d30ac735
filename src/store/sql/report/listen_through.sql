SELECT show, episode, bin, starts_seconds, share, sessions, coverage, median_furthest
FROM listen_through
WHERE {filters}
ORDER BY show, episode, bin
