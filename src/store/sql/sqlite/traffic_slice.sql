INSERT INTO traffic_slice AS t (instance_id, episode_id, day, status, pop, cache_state, requests, body_bytes)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
ON CONFLICT (episode_id, day, status, pop, cache_state, instance_id) DO UPDATE SET
    requests = t.requests + excluded.requests,
    body_bytes = min(t.body_bytes + excluded.body_bytes, 9007199254740991)
