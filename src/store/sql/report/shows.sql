SELECT
    show, title, episodes, downloads_last_7d, downloads_last_28d, downloads_all, listeners_last_7d, listeners_last_28d,
    listeners_all, file_equivalents
FROM show_reach
WHERE {filters}
ORDER BY downloads_all DESC, show
