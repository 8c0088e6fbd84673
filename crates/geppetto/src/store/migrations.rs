//! The migration files of a database, built into the program.
//!
//! They are read here and not by `sqlx::migrate!`: sqlx's macros would compile both database drivers, the bundled SQLite
//! among them, a second time for the compiler.

use std::borrow::Cow;

use rust_embed::RustEmbed;
use sqlx::{
    AssertSqlSafe, SqlSafeStr,
    migrate::{Migration, MigrationType, Migrator},
};

/// The files of `migrations/sqlite`.
#[derive(RustEmbed)]
#[folder = "migrations/sqlite"]
pub(super) struct SqliteMigrationFiles;

/// The files of `migrations/postgres`.
#[derive(RustEmbed)]
#[folder = "migrations/postgres"]
pub(super) struct PostgresMigrationFiles;

/// The migrations of files named `NUMBER_DESCRIPTION.sql`, in the order of their numbers.
pub(super) fn migrator_of_files<Files: RustEmbed>() -> Migrator {
    Migrator::with_migrations(Files::iter().filter_map(|name| migration_of_file::<Files>(&name)).collect())
}

/// `None` if the file's name is not that of a migration, which a test refuses.
fn migration_of_file<Files: RustEmbed>(name: &str) -> Option<Migration> {
    let (number, description) = name.strip_suffix(".sql")?.split_once('_')?;
    let sql = String::from_utf8(Files::get(name)?.data.into_owned()).ok()?;
    Some(Migration::new(
        number.parse().ok()?,
        Cow::Owned(description.replace('_', " ")),
        MigrationType::Simple,
        AssertSqlSafe(sql).into_sql_str(),
        false,
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn assert_every_file_is_a_migration<Files: RustEmbed>() {
        let migrator = migrator_of_files::<Files>();
        let versions: Vec<i64> = migrator.iter().map(|migration| migration.version).collect();
        let expected: Vec<i64> = (1..).take(Files::iter().count()).collect();
        assert_eq!(versions, expected, "{:?}", Files::iter().collect::<Vec<_>>());
    }

    #[test]
    fn every_migration_file_is_built_in_under_its_number() {
        assert_every_file_is_a_migration::<SqliteMigrationFiles>();
        assert_every_file_is_a_migration::<PostgresMigrationFiles>();
    }
}
