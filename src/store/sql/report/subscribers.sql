SELECT day, feed, service, subscribers, clients
FROM subscribers_day
WHERE {filters}
ORDER BY day, feed, subscribers DESC, service
