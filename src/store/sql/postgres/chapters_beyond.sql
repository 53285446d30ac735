-- What these episodes had more of before. Their rows in episode are locked by now, so that no two instances meet here.
DELETE FROM chapter
USING unnest($1::bigint[], $2::integer[]) AS told (episode_id, chapters)
WHERE chapter.episode_id = told.episode_id AND chapter.number > told.chapters
