SELECT show, episode, published_at, age_hours, downloads, cumulative
FROM launch_curve
WHERE {filters}
ORDER BY show, published_at, episode, age_hours
