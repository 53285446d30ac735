INSERT INTO traffic_slice AS t (instance_id, episode_id, day, status, pop, cache_state, requests, body_bytes)
SELECT $1, new.*
FROM unnest($2::bigint[], $3::date[], $4::bigint[], $5::text[], $6::text[], $7::bigint[], $8::bigint[]) AS new
ON CONFLICT (episode_id, day, status, pop, cache_state, instance_id) DO UPDATE SET
    requests = t.requests + excluded.requests,
    body_bytes = least(t.body_bytes + excluded.body_bytes, 9007199254740991)
