SELECT
    CAST(coalesce(sum(downloads), 0) AS bigint) AS downloads,
    CAST(coalesce(sum(requests), 0) AS bigint) AS requests,
    CAST(coalesce(sum(delivered_bytes), 0) AS bigint) AS delivered_bytes,
    CAST(coalesce(sum(body_bytes), 0) AS bigint) AS body_bytes
FROM episode_day
WHERE $1 IS NULL OR day >= $1
