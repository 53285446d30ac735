-- Every connection: nothing may wait for ever, and a transaction whose client vanished must let go of its
-- locks. A commit that Postgres could lose after it answered would be counted as kept. Compiling a statement over
-- some dozen partitions takes longer than running it.
SELECT
    set_config('jit', 'off', false),
    set_config('statement_timeout', $1, false),
    set_config('lock_timeout', $2, false),
    set_config('idle_in_transaction_session_timeout', $3, false),
    set_config('synchronous_commit', CASE current_setting('synchronous_commit') WHEN 'off' THEN 'on' ELSE current_setting('synchronous_commit') END, false)
