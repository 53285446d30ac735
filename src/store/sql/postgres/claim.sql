-- A new writer of the journal: from here on no older one can commit.
INSERT INTO instance AS i (journal_id, name, epoch, position)
VALUES ($1::uuid, $2, 1, 0)
ON CONFLICT (journal_id) DO UPDATE SET name = excluded.name, epoch = i.epoch + 1, claimed_at = now()
RETURNING id, epoch, position
