INSERT INTO feed_day AS t (instance_id, feed, service, day, subscribers, clients)
SELECT $1, new.*
FROM unnest($2::text[], $3::text[], $4::date[], $5::bigint[], $6::bigint[]) AS new
ON CONFLICT (feed, service, day, instance_id) DO UPDATE SET
    subscribers = greatest(t.subscribers, excluded.subscribers),
    clients = t.clients + excluded.clients
