INSERT INTO audience_slice AS t (instance_id, episode_id, day, country, app, device, downloads)
SELECT $1, new.*
FROM unnest($2::bigint[], $3::date[], $4::text[], $5::text[], $6::text[], $7::bigint[]) AS new
ON CONFLICT (episode_id, day, country, app, device, instance_id) DO UPDATE SET downloads = t.downloads + excluded.downloads
