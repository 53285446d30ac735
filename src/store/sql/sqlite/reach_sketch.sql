INSERT INTO reach_sketch AS t (instance_id, scope, scope_id, span, starts, sketch, key_id)
VALUES ($1, $2, $3, $4, $5, $6, $7)
ON CONFLICT (scope, scope_id, span, starts, instance_id) DO UPDATE SET
    sketch = excluded.sketch,
    key_id = excluded.key_id
