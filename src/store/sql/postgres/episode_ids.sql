-- The keys of episode and show for each pair of slugs, in the order given.
SELECT e.id, e.show_id
FROM unnest($1::text[], $2::text[]) WITH ORDINALITY AS wanted (show, slug, place)
JOIN show AS s ON s.slug = wanted.show
JOIN episode AS e ON e.show_id = s.id AND e.slug = wanted.slug
ORDER BY wanted.place
