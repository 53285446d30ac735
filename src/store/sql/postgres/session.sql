-- Every connection: nothing may wait for ever, and a transaction whose client vanished must let go of its
-- locks. A commit that Postgres could lose after it answered would be counted as kept.
SELECT
    set_config('statement_timeout', $1, false),
    set_config('lock_timeout', $2, false),
    set_config('idle_in_transaction_session_timeout', $3, false),
    set_config('synchronous_commit', CASE current_setting('synchronous_commit') WHEN 'off' THEN 'on' ELSE current_setting('synchronous_commit') END, false)
