//! SQLite: one file in the data folder, the database of a control plane that is alone.

use std::{path::Path, sync::LazyLock, time::Duration};

use sqlx::{
    Sqlite, SqliteConnection, SqlitePool,
    migrate::Migrator,
    pool::PoolConnection,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};

use super::{
    StoreError,
    migrations::{SqliteMigrationFiles, migrator_of_files},
};

/// The result codes SQLITE_FULL and SQLITE_IOERR_SHMSIZE, for the file that connections share:
/// <https://sqlite.org/rescode.html#full>.
pub(super) const DISK_FULL_ERROR_CODES: [&str; 2] = ["13", "4874"];

/// Whether a result code says that another connection holds a lock: SQLITE_BUSY or SQLITE_LOCKED, whose low byte stays in
/// their extended forms: <https://sqlite.org/rescode.html>.
pub(super) fn is_busy_error_code(code: &str) -> bool {
    code.parse::<u32>().is_ok_and(|code| matches!(code & 0xff, 5 | 6))
}

/// How many connections there are: one writes at a time, the others read.
const CONNECTIONS: u32 = 4;

/// How often opening is tried: of two programs that make the file at the same moment one fails at first.
const ATTEMPTS: u32 = 5;

/// Opens the database file, creates it if it is missing and brings its tables up to date.
pub(super) async fn open_and_migrate_sqlite(path: &Path) -> Result<SqlitePool, StoreError> {
    let mut attempt = 1;
    loop {
        match open_and_migrate_once(path).await {
            Err(_) if attempt < ATTEMPTS => attempt += 1,
            opened => return opened,
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// The steps that bring the tables to this program's version.
pub(super) static MIGRATIONS: LazyLock<Migrator> = LazyLock::new(migrator_of_files::<SqliteMigrationFiles>);

async fn open_and_migrate_once(path: &Path) -> Result<SqlitePool, StoreError> {
    let pool = open_sqlite_file(path, true).await?;
    MIGRATIONS
        .run(&pool)
        .await
        .map_err(|source| StoreError::from_migrate_error(path.display().to_string(), source))?;
    Ok(pool)
}

/// Opens the database file; one that is missing is created, or an error.
pub(super) async fn open_sqlite_file(path: &Path, create_if_missing: bool) -> Result<SqlitePool, StoreError> {
    let name = path.display().to_string();
    let options = SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(create_if_missing)
        .journal_mode(SqliteJournalMode::Wal)
        // A node file whose generation was given out must still be there after a power cut.
        .synchronous(SqliteSynchronous::Full)
        .foreign_keys(true)
        .busy_timeout(Duration::from_secs(10));
    SqlitePoolOptions::new()
        .max_connections(CONNECTIONS)
        // Opened at the start: a new one reads the whole schema while a request waits.
        .min_connections(2)
        // A connection to a local file is not lost like one over a network; a ping before each use would cost as much as most
        // statements do.
        .test_before_acquire(false)
        .acquire_timeout(Duration::from_secs(15))
        .connect_with(options)
        .await
        .map_err(|source| StoreError::Open { database: name, source })
}

/// A transaction that writes.
///
/// Unless it is committed its connection is closed, not used again: when the disk is full SQLite may roll the transaction
/// back itself, while the connection would still count it as open.
pub(super) struct SqliteWriteTransaction {
    connection: PoolConnection<Sqlite>,
    is_committed: bool,
}

impl SqliteWriteTransaction {
    /// Begins.
    ///
    /// IMMEDIATE takes SQLite's one write lock now, where `busy_timeout` waits for it; taking it later, after
    /// a read, fails at once when another connection wrote in between. Correctness does not depend on the lock.
    pub(super) async fn begin(pool: &SqlitePool) -> Result<Self, sqlx::Error> {
        let mut transaction = Self { connection: pool.acquire().await?, is_committed: false };
        sqlx::query("BEGIN IMMEDIATE").execute(transaction.connection()).await?;
        Ok(transaction)
    }

    /// What its statements run on.
    pub(super) fn connection(&mut self) -> &mut SqliteConnection {
        &mut self.connection
    }

    /// Commits.
    pub(super) async fn commit(mut self) -> Result<(), sqlx::Error> {
        sqlx::query("COMMIT").execute(self.connection()).await?;
        self.is_committed = true;
        Ok(())
    }
}

impl Drop for SqliteWriteTransaction {
    fn drop(&mut self) {
        if !self.is_committed {
            self.connection.close_on_drop();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command_error::GeppettoCommandError;

    #[tokio::test]
    async fn database_of_a_newer_program_is_refused_naming_what_to_install() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("geppetto.db");
        let pool = open_and_migrate_sqlite(&path).await.unwrap();
        sqlx::query(
            "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time)
             VALUES (9999, 'of a newer version', TRUE, x'00', 0)",
        )
        .execute(&pool)
        .await
        .unwrap();
        pool.close().await;
        let error = GeppettoCommandError::from(open_and_migrate_sqlite(&path).await.unwrap_err()).to_string();
        for part in
            ["was served by a newer geppetto", "migration 9999", "install that version", "geppetto recover"]
        {
            assert!(error.contains(part), "{error}");
        }
    }
}
