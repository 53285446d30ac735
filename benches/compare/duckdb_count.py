"""Requests and body bytes by path, by DuckDB on one thread: prints how many lines it has read."""

import sys

import duckdb

connection = duckdb.connect()
connection.execute("SET threads = 1")
statement = """
    SELECT sum(requests) FROM (
        SELECT split_part(url, '?', 1) AS path, count(*) AS requests, sum(body_bytes) AS body_bytes
        FROM read_ndjson($path, columns = {url: 'VARCHAR', body_bytes: 'BIGINT'}, ignore_errors = true)
        GROUP BY path)
"""
print(connection.execute(statement, {"path": sys.argv[1]}).fetchone()[0])
