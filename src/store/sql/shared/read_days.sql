-- The sketches of a show's days, or of the whole's, of all instances.
SELECT starts, sketch, key_id
FROM reach_sketch
WHERE scope = $1 AND scope_id = $2 AND span = 'day' AND starts BETWEEN $3 AND $4
