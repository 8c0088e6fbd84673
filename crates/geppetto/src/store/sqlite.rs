//! SQLite: one file in the data folder, the database of a control plane that is alone.

use std::{path::Path, time::Duration};

use sqlx::{
    Sqlite, SqlitePool, Transaction,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};

use super::StoreError;

/// The result code SQLITE_FULL: <https://sqlite.org/rescode.html#full>.
pub(super) const DISK_FULL_ERROR_CODE: &str = "13";

/// How often opening is tried: of two programs that make the file at the same moment one fails at first.
const ATTEMPTS: u32 = 5;

/// Opens the database file, creates it if it is missing and brings its tables up to date.
pub(super) async fn open_and_migrate_sqlite(path: &Path) -> Result<SqlitePool, StoreError> {
    let mut attempt = 1;
    loop {
        match open_once(path).await {
            Err(_) if attempt < ATTEMPTS => attempt += 1,
            opened => return opened,
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

async fn open_once(path: &Path) -> Result<SqlitePool, StoreError> {
    let name = path.display().to_string();
    let options = SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        // A node file whose generation was given out must still be there after a power cut.
        .synchronous(SqliteSynchronous::Full)
        .foreign_keys(true)
        .busy_timeout(Duration::from_secs(10));
    let pool = SqlitePoolOptions::new()
        .max_connections(4)
        // A file does not go away; a test before each use would cost as much as most statements do.
        .test_before_acquire(false)
        .acquire_timeout(Duration::from_secs(15))
        .connect_with(options)
        .await
        .map_err(|source| StoreError::Open { database: name.clone(), source })?;
    sqlx::migrate!("migrations/sqlite")
        .run(&pool)
        .await
        .map_err(|source| StoreError::Migrate { database: name, source })?;
    Ok(pool)
}

/// Begins a transaction that will write.
///
/// IMMEDIATE takes SQLite's one write lock now, where `busy_timeout` waits for it; taking it later, after
/// a read, fails at once when another connection wrote in between. Nothing but that depends on the lock.
pub(super) async fn begin_write_transaction(
    pool: &SqlitePool,
) -> Result<Transaction<'static, Sqlite>, sqlx::Error> {
    pool.begin_with("BEGIN IMMEDIATE").await
}
