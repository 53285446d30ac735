INSERT INTO episode_day AS t
    (instance_id, episode_id, day, downloads, bulk_downloads, progressive_downloads, listeners, requests, delivered_bytes, body_bytes, addresses)
SELECT $1, new.*
FROM unnest(
    $2::bigint[], $3::date[], $4::bigint[], $5::bigint[], $6::bigint[], $7::bigint[], $8::bigint[], $9::bigint[], $10::bigint[], $11::bigint[]
) AS new
ON CONFLICT (episode_id, day, instance_id) DO UPDATE SET
    downloads = t.downloads + excluded.downloads,
    bulk_downloads = t.bulk_downloads + excluded.bulk_downloads,
    progressive_downloads = t.progressive_downloads + excluded.progressive_downloads,
    listeners = t.listeners + excluded.listeners,
    requests = t.requests + excluded.requests,
    delivered_bytes = greatest(-9007199254740991, least(t.delivered_bytes + excluded.delivered_bytes, 9007199254740991)),
    body_bytes = least(t.body_bytes + excluded.body_bytes, 9007199254740991),
    addresses = t.addresses + excluded.addresses
