-- The group role of dashboards. To use it: CREATE ROLE grafana LOGIN PASSWORD '…' IN ROLE castmeter_reader;
DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'castmeter_reader') THEN
        BEGIN
            CREATE ROLE castmeter_reader NOLOGIN;
        EXCEPTION
            -- Roles belong to the server: another database of it may make this one at the same moment.
            WHEN duplicate_object OR unique_violation THEN NULL;
        END;
    END IF;
    -- Two instances that start at the same time must not grant at the same time.
    LOCK TABLE instance IN SHARE ROW EXCLUSIVE MODE;
    EXECUTE format('GRANT USAGE ON SCHEMA %I TO castmeter_reader', current_schema());
    GRANT SELECT ON
        instance, show, episode, chapter, annotation,
        episode_hour, episode_day, fate_day,
        launch_hour, listen_bin, audience_slice, region_day, referrer_day,
        exclusion_day, feed_day, traffic_slice, reach_sketch, reach_span,
        episode_hour_total, episode_day_total, fate_day_total,
        whole_number, episode_total, launch_total,
        counting_span, launch, episode_reach, show_reach, listeners_span,
        launch_curve, launch_pace, launch_projection, launch_projection_hour,
        listen_summary, listen_through, chapter_reach,
        downloads_day, downloads_hour, show_day, audience_day, audience_region_day, audience_referrer_day,
        exclusions_day, exclusion_changes, subscribers_day, traffic_day, parity
    TO castmeter_reader;
END $$;
