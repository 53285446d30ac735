-- Until the end of the transaction, one instance at a time. The statements that follow see what the one before has
-- committed.
SELECT pg_advisory_xact_lock(hashtextextended('castmeter reach_sketch', 0))
