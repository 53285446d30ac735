INSERT INTO exclusion_day AS t (instance_id, day, episode_id, reason, rule, requests, body_bytes)
SELECT $1, new.*
FROM unnest($2::date[], $3::bigint[], $4::text[], $5::text[], $6::bigint[], $7::bigint[]) AS new
ON CONFLICT (day, episode_id, reason, rule, instance_id) DO UPDATE SET
    requests = t.requests + excluded.requests,
    body_bytes = least(t.body_bytes + excluded.body_bytes, 9007199254740991)
