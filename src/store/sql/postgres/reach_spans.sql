-- A row that says the same already is left alone.
INSERT INTO reach_span AS t (scope, scope_id, span, starts, listeners)
SELECT new.*
FROM unnest($1::text[], $2::bigint[], $3::text[], $4::date[], $5::bigint[]) AS new
ON CONFLICT (scope, scope_id, span, starts) DO UPDATE SET listeners = excluded.listeners
WHERE t.listeners IS DISTINCT FROM excluded.listeners
