SELECT country, app, device, CAST(sum(downloads) AS bigint) AS downloads
FROM audience_day
WHERE {filters}
GROUP BY country, app, device
ORDER BY downloads DESC, country, app, device
