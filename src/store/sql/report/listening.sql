SELECT
    show, episode, title, downloads, bulk_downloads, progressive_downloads, sessions, coverage,
    CAST(median_furthest AS double precision) AS median_furthest
FROM listen_summary
WHERE {filters}
ORDER BY published_at DESC NULLS LAST, show, episode
