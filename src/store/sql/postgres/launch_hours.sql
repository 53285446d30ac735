INSERT INTO launch_hour AS t (instance_id, episode_id, age_hours, downloads)
SELECT $1, new.*
FROM unnest($2::bigint[], $3::bigint[], $4::bigint[]) AS new
ON CONFLICT (episode_id, age_hours, instance_id) DO UPDATE SET downloads = t.downloads + excluded.downloads
