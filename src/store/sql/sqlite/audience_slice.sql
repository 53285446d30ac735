INSERT INTO audience_slice AS t (instance_id, episode_id, day, country, app, device, downloads)
VALUES ($1, $2, $3, $4, $5, $6, $7)
ON CONFLICT (episode_id, day, country, app, device, instance_id) DO UPDATE SET downloads = t.downloads + excluded.downloads
