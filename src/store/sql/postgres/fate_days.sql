INSERT INTO fate_day AS t (instance_id, day, source, fate, reason, requests, body_bytes)
SELECT $1, new.*
FROM unnest($2::date[], $3::text[], $4::text[], $5::text[], $6::bigint[], $7::bigint[]) AS new
ON CONFLICT (day, source, fate, coalesce(reason, ''), instance_id) DO UPDATE SET
    requests = t.requests + excluded.requests,
    body_bytes = least(t.body_bytes + excluded.body_bytes, 9007199254740991)
