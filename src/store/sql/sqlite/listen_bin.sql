INSERT INTO listen_bin AS t (instance_id, episode_id, bin, covered, furthest)
VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (episode_id, bin, instance_id) DO UPDATE SET
    covered = t.covered + excluded.covered,
    furthest = t.furthest + excluded.furthest
