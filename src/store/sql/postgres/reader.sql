-- The group role of dashboards: CREATE ROLE grafana LOGIN PASSWORD '…' IN ROLE castmeter_reader;
DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'castmeter_reader') THEN
        CREATE ROLE castmeter_reader NOLOGIN;
    END IF;
EXCEPTION
    -- Roles belong to the server: another database of it may make this one at the same moment.
    WHEN duplicate_object OR unique_violation THEN NULL;
END $$;
DO $$ BEGIN EXECUTE format('GRANT USAGE ON SCHEMA %I TO castmeter_reader', current_schema()); END $$;
GRANT SELECT ON
    instance, show, episode,
    episode_hour, episode_day, fate_day,
    episode_hour_total, episode_day_total, fate_day_total
TO castmeter_reader;
