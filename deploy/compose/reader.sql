-- The role that Grafana connects as. castmeter gives castmeter_reader its rights when it makes the tables.
CREATE ROLE castmeter_reader NOLOGIN;
CREATE ROLE grafana LOGIN PASSWORD 'grafana' IN ROLE castmeter_reader;
-- Compiling a statement over many partitions takes longer than running it.
ALTER ROLE grafana SET jit = off;
