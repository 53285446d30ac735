INSERT INTO episode_hour AS t (instance_id, episode_id, hour, downloads)
SELECT $1, new.*
FROM unnest($2::bigint[], $3::timestamptz[], $4::bigint[]) AS new
ON CONFLICT (episode_id, hour, instance_id) DO UPDATE SET downloads = t.downloads + excluded.downloads
