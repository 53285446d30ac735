-- What an episode had more of before.
DELETE FROM chapter WHERE episode_id = $1 AND number > $2
