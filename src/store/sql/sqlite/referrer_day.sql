INSERT INTO referrer_day AS t (instance_id, episode_id, day, referrer, downloads)
VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (episode_id, day, referrer, instance_id) DO UPDATE SET downloads = t.downloads + excluded.downloads
