INSERT INTO annotation (at, text, tags) VALUES ($1, $2, $3)
