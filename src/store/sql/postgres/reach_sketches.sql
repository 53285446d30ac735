INSERT INTO reach_sketch AS t (instance_id, scope, scope_id, span, starts, sketch, key_id)
SELECT $1, new.*
FROM unnest($2::text[], $3::bigint[], $4::text[], $5::date[], $6::bytea[], $7::bigint[]) AS new
ON CONFLICT (scope, scope_id, span, starts, instance_id) DO UPDATE SET
    sketch = excluded.sketch,
    key_id = excluded.key_id
