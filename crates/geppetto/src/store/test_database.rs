//! Databases for tests: a file of SQLite, and a database in a private cluster of PostgreSQL.

use super::*;

#[path = "../../tests/it/postgres_cluster.rs"]
mod postgres_cluster;

/// Which engine a test runs on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TestEngine {
    Sqlite,
    Postgres,
}

/// An empty database, which lives as long as this.
pub(crate) struct TestDatabase {
    _folder: tempfile::TempDir,
    pub(crate) database: DatabaseLocation,
}

impl TestDatabase {
    /// A new one; `None` when PostgreSQL is not installed, which is printed, and a failure with
    /// `GEPPETTO_NO_SKIP=1`.
    pub(crate) fn create_empty_if_engine_installed(engine: TestEngine) -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let database = match engine {
            TestEngine::Sqlite => DatabaseLocation::File(folder.path().join("geppetto.db")),
            TestEngine::Postgres => {
                DatabaseLocation::Url(postgres_cluster::create_database()?.parse().unwrap())
            }
        };
        Some(Self { _folder: folder, database })
    }
}
