SELECT reason, rule, CAST(sum(requests) AS bigint) AS requests, CAST(sum(body_bytes) AS bigint) AS body_bytes
FROM exclusions_day
WHERE {filters}
GROUP BY reason, rule
ORDER BY requests DESC, reason, rule
