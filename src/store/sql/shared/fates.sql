SELECT
    fate,
    reason,
    CAST(sum(requests) AS bigint) AS requests,
    CAST(sum(body_bytes) AS bigint) AS body_bytes
FROM fate_day
WHERE $1 IS NULL OR day >= $1
GROUP BY fate, reason
ORDER BY fate, coalesce(reason, '')
