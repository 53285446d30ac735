//! The views: rows written by hand, answers worked out on paper, the same from SQLite and Postgres.

mod audience;
mod documents;
mod launch;
mod parity;
mod projection;
mod reach;
mod report;
mod summaries;
mod world;

/// Runs one test body in SQLite and in Postgres.
macro_rules! in_both {
    ($($test:ident),* $(,)?) => {
        mod sqlite {
            $(#[tokio::test] async fn $test() { super::$test($crate::views::world::World::sqlite().await).await; })*
        }
        mod postgres {
            $(#[tokio::test] async fn $test() { super::$test($crate::views::world::World::postgres().await).await; })*
        }
    };
}
use in_both;
