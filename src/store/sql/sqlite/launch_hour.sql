INSERT INTO launch_hour AS t (instance_id, episode_id, age_hours, downloads)
VALUES ($1, $2, $3, $4)
ON CONFLICT (episode_id, age_hours, instance_id) DO UPDATE SET downloads = t.downloads + excluded.downloads
