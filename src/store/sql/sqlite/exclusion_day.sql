INSERT INTO exclusion_day AS t (instance_id, day, episode_id, reason, rule, requests, body_bytes)
VALUES ($1, $2, $3, $4, $5, $6, $7)
ON CONFLICT (day, episode_id, reason, rule, instance_id) DO UPDATE SET
    requests = t.requests + excluded.requests,
    body_bytes = min(t.body_bytes + excluded.body_bytes, 9007199254740991)
