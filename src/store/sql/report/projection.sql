SELECT show, episode, published_at, age_hours, downloads, expected_7d, low_7d, high_7d, earlier_episodes
FROM launch_projection
WHERE {filters}
ORDER BY published_at DESC NULLS LAST, show, episode
