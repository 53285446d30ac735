SELECT
    show, episode, title, published_at, downloads_1d, downloads_7d, downloads_30d, downloads_all, listeners_7d,
    listeners_all, file_equivalents
FROM episode_reach
WHERE {filters}
ORDER BY published_at DESC NULLS LAST, show, episode
