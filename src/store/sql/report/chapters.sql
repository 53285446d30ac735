SELECT show, episode, number, chapter, starts_seconds, share, sessions, coverage
FROM chapter_reach
WHERE {filters}
ORDER BY show, episode, number
