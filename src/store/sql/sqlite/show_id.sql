SELECT id FROM show WHERE slug = $1
