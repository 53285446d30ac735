SELECT CAST(coalesce(max(version), 0) AS bigint) FROM _sqlx_migrations
