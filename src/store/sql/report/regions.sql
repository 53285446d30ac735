SELECT country, region, CAST(sum(downloads) AS bigint) AS downloads
FROM audience_region_day
WHERE {filters}
GROUP BY country, region
ORDER BY downloads DESC, country, region
