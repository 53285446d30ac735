-- Applied migrations that this binary does not know, and what they ask of it.
SELECT m.version, c.works_from
FROM _sqlx_migrations AS m
LEFT JOIN schema_compatibility AS c ON c.migration = m.version
WHERE m.version > $1
ORDER BY m.version
