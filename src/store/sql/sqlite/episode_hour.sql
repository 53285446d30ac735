INSERT INTO episode_hour AS t (instance_id, episode_id, hour, downloads)
VALUES ($1, $2, $3, $4)
ON CONFLICT (episode_id, hour, instance_id) DO UPDATE SET downloads = t.downloads + excluded.downloads
