//! Whether this binary may use a schema that a newer one has made.
//!
//! The rule: a migration leaves the previous release working, and says so by a row in `schema_compatibility`
//! that names the oldest newest-known migration (`works_from`) of binaries it works with. So an old and a new
//! release can run side by side during an upgrade, and one that is too old refuses to start.

use sqlx::migrate::Migrator;

use super::StoreError;

/// Newest migration in the binary.
pub(super) fn newest_known(migrator: &Migrator) -> i64 {
    migrator.iter().map(|migration| migration.version).max().unwrap_or(0)
}

/// `unknown` holds each applied migration beyond `known`, with its `works_from` if it has one.
pub(super) fn check(known: i64, unknown: &[(i64, Option<i64>)]) -> Result<(), StoreError> {
    let unusable = unknown.iter().find(|(_, works_from)| works_from.is_none_or(|oldest| oldest > known));
    match unusable {
        Some(&(found, _)) => Err(StoreError::SchemaTooNew { found, known }),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn newer_schemas_must_say_that_they_are_compatible() {
        for (unknown, refused) in [
            (&[][..], None),
            (&[(4, Some(3))], None),
            (&[(4, Some(1)), (5, Some(3))], None),
            (&[(4, None)], Some(4)),
            (&[(4, Some(3)), (5, Some(4))], Some(5)),
            (&[(4, Some(4)), (5, Some(1))], Some(4)),
        ] {
            let found = match check(3, unknown) {
                Err(StoreError::SchemaTooNew { found, known: 3 }) => Some(found),
                answer => answer.map(|()| None).unwrap(),
            };
            assert_eq!(found, refused, "{unknown:?}");
        }
    }

    /// What a migration forgets to say cannot be mended after its release.
    #[test]
    fn every_migration_says_whom_it_works_with() {
        for migrator in [sqlx::migrate!("migrations/postgres"), sqlx::migrate!("migrations/sqlite")] {
            for migration in migrator.iter() {
                let marker = format!("INSERT INTO schema_compatibility VALUES ({}, ", migration.version);
                assert!(
                    migration.sql.as_str().contains(&marker),
                    "{} lacks: {marker}…",
                    migration.description
                );
            }
        }
    }
}
