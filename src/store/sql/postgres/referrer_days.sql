INSERT INTO referrer_day AS t (instance_id, episode_id, day, referrer, downloads)
SELECT $1, new.*
FROM unnest($2::bigint[], $3::date[], $4::text[], $5::bigint[]) AS new
ON CONFLICT (episode_id, day, referrer, instance_id) DO UPDATE SET downloads = t.downloads + excluded.downloads
