SELECT
    status, pop, cache_state, CAST(sum(requests) AS bigint) AS requests, CAST(sum(body_bytes) AS bigint) AS body_bytes
FROM traffic_day
WHERE {filters}
GROUP BY status, pop, cache_state
ORDER BY requests DESC, status, pop, cache_state
