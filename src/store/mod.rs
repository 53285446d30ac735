//! The tables in Postgres or SQLite: migrations, commits of deltas with the journal position.
