-- One question for each age: both databases then work out that age alone.
SELECT show, episode, published_at, age_hours + 1 AS hours, cumulative, p25, median, p75, difference, ratio, earlier_episodes
FROM launch_pace
WHERE age_hours = 23 AND {filters}
UNION ALL
SELECT show, episode, published_at, age_hours + 1, cumulative, p25, median, p75, difference, ratio, earlier_episodes
FROM launch_pace
WHERE age_hours = 167 AND {filters}
UNION ALL
SELECT show, episode, published_at, age_hours + 1, cumulative, p25, median, p75, difference, ratio, earlier_episodes
FROM launch_pace
WHERE age_hours = 719 AND {filters}
ORDER BY published_at DESC NULLS LAST, show, episode, hours
