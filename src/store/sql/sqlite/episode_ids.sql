-- The keys of episodes for each pair of a show's key and an episode's slug, in the order given.
SELECT e.id
FROM json_each($1) AS wanted
CROSS JOIN episode AS e ON e.show_id = wanted.value ->> 0 AND e.slug = wanted.value ->> 1
ORDER BY wanted.key
