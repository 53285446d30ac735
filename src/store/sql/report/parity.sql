SELECT
    show,
    episode,
    CAST(sum(downloads) AS bigint) AS downloads,
    sum(file_equivalents) AS file_equivalents,
    CAST(sum(body_bytes) AS bigint) AS body_bytes,
    CAST(sum(partial_bytes) AS bigint) AS partial_bytes,
    CAST(sum(refetched_bytes) AS bigint) AS refetched_bytes,
    CAST(sum(bot_bytes) AS bigint) AS bot_bytes,
    CAST(sum(network_bytes) AS bigint) AS network_bytes,
    CAST(sum(probe_bytes) AS bigint) AS probe_bytes,
    CAST(sum(other_bytes) AS bigint) AS other_bytes
FROM parity
WHERE {filters}
GROUP BY show, episode
ORDER BY downloads DESC, show, episode
