-- The sketches of these rows, of all instances; `place` counts the rows from 1.
SELECT wanted.place, r.instance_id, r.sketch, r.key_id
FROM unnest($1::text[], $2::bigint[], $3::text[], $4::date[]) WITH ORDINALITY
    AS wanted (scope, scope_id, span, starts, place)
JOIN reach_sketch AS r USING (scope, scope_id, span, starts)
