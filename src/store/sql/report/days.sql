SELECT day, show, downloads, listeners, requests, delivered_bytes
FROM show_day
WHERE {filters}
ORDER BY day, show
