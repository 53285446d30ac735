-- The guard: changes one row, or the position or the writer is not what this process believes.
UPDATE instance SET position = $4, committed_at = now()
WHERE id = $1 AND epoch = $2 AND position = $3
