-- A row that says the same already is left alone.
INSERT INTO reach_span AS t (scope, scope_id, span, starts, listeners)
VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (scope, scope_id, span, starts) DO UPDATE SET listeners = excluded.listeners
WHERE t.listeners IS NOT excluded.listeners
