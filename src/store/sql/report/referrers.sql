SELECT referrer, CAST(sum(downloads) AS bigint) AS downloads
FROM audience_referrer_day
WHERE {filters}
GROUP BY referrer
ORDER BY downloads DESC, referrer
