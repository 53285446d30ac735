INSERT INTO fate_day AS t (instance_id, day, source, fate, reason, requests, body_bytes)
VALUES ($1, $2, $3, $4, $5, $6, $7)
ON CONFLICT (day, source, fate, coalesce(reason, ''), instance_id) DO UPDATE SET
    requests = t.requests + excluded.requests,
    body_bytes = min(t.body_bytes + excluded.body_bytes, 9007199254740991)
