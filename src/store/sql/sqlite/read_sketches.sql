-- The sketches of these rows, of all instances; `place` counts the rows from 0.
SELECT wanted.key AS place, r.instance_id, r.sketch, r.key_id
FROM json_each($1) AS wanted
CROSS JOIN reach_sketch AS r
    ON r.scope = wanted.value ->> 0
    AND r.scope_id = wanted.value ->> 1
    AND r.span = wanted.value ->> 2
    AND r.starts = wanted.value ->> 3
