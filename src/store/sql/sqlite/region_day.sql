INSERT INTO region_day AS t (instance_id, episode_id, day, country, region, downloads)
VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT (episode_id, day, country, region, instance_id) DO UPDATE SET downloads = t.downloads + excluded.downloads
