INSERT INTO episode_day AS t
    (instance_id, episode_id, day, downloads, bulk_downloads, progressive_downloads, listeners, requests, delivered_bytes, body_bytes, addresses)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
ON CONFLICT (episode_id, day, instance_id) DO UPDATE SET
    downloads = t.downloads + excluded.downloads,
    bulk_downloads = t.bulk_downloads + excluded.bulk_downloads,
    progressive_downloads = t.progressive_downloads + excluded.progressive_downloads,
    listeners = t.listeners + excluded.listeners,
    requests = t.requests + excluded.requests,
    delivered_bytes = max(-9007199254740991, min(t.delivered_bytes + excluded.delivered_bytes, 9007199254740991)),
    body_bytes = min(t.body_bytes + excluded.body_bytes, 9007199254740991),
    addresses = t.addresses + excluded.addresses
