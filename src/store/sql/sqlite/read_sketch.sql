SELECT instance_id, sketch, key_id
FROM reach_sketch
WHERE scope = $1 AND scope_id = $2 AND span = $3 AND starts = $4
