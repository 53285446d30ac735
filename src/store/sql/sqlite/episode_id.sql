SELECT e.id, e.show_id FROM show AS s JOIN episode AS e ON e.show_id = s.id WHERE s.slug = $1 AND e.slug = $2
