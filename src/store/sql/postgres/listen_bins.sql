INSERT INTO listen_bin AS t (instance_id, episode_id, bin, covered, furthest)
SELECT $1, new.*
FROM unnest($2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[]) AS new
ON CONFLICT (episode_id, bin, instance_id) DO UPDATE SET
    covered = t.covered + excluded.covered,
    furthest = t.furthest + excluded.furthest
