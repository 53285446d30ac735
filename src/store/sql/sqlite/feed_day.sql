INSERT INTO feed_day AS t (instance_id, feed, service, day, subscribers, clients)
VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT (feed, service, day, instance_id) DO UPDATE SET
    subscribers = max(t.subscribers, excluded.subscribers),
    clients = t.clients + excluded.clients
