//! What the control plane remembers: revisions, node files, reports, tokens and the audit log, in SQLite.
//!
//! All SQL of the program is in this folder, one file a subject, with `$1` placeholders and the types that
//! PostgreSQL has too. Every method that writes does so in one transaction, the audit entry included.

mod audit;
#[cfg(test)]
mod contract;
mod nodes;
mod reports;
mod revisions;
mod seal;
mod secrets;
mod servers;
mod tokens;

use std::{path::Path, time::Duration};

use sqlx::{
    Sqlite, SqlitePool, Transaction,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};

pub use audit::{AuditContext, AuditRow};
pub use nodes::{NewNode, StoredNode};
pub use reports::{NewReport, ReportHead, ReportId, ReportRow, ServerStatus};
pub use revisions::{PlaceChange, PlaceText, RevisionRow};
pub use seal::Seal;
pub use servers::JoinTokenRow;
pub use tokens::{NewTokenRow, StoredToken, TokenRow};

/// The database. Clones share its connections.
#[derive(Debug, Clone)]
pub struct Store {
    pool: SqlitePool,
    seal: Seal,
}

/// Why the database did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The file could not be opened or brought up to date.
    #[error("the database `{path}` could not be opened")]
    Open {
        /// The file.
        path: String,
        /// The cause.
        source: sqlx::Error,
    },
    /// The tables could not be brought to this program's version.
    #[error("the tables of the database `{path}` could not be brought up to date")]
    Migrate {
        /// The file.
        path: String,
        /// What went wrong.
        source: sqlx::migrate::MigrateError,
    },
    /// A statement failed.
    #[error("the database failed while {doing}")]
    Query {
        /// What was being done.
        doing: &'static str,
        /// The cause.
        source: sqlx::Error,
    },
    /// Another revision was committed between reading and writing.
    #[error("revision {found} was committed while this change was made from revision {base}")]
    Overtaken {
        /// The revision the change was made from.
        base: u64,
        /// The revision that is current now.
        found: u64,
    },
    /// The key is not the one the texts in the database are sealed with.
    #[error("the database `{0}` was sealed with another key than the one beside it")]
    WrongKey(String),
    /// There are texts in the database, and none of them is sealed.
    #[error(
        "the database `{0}` holds an estate that is not sealed: it is of an older version, or was changed by other hands"
    )]
    Unsealed(String),
    /// A sealed text cannot be opened.
    #[error("the sealed text of {0} in the database cannot be opened: it was changed by other hands")]
    Sealed(String),
    /// The name of a token is taken.
    #[error("there is a token named `{0}` already")]
    NameTaken(String),
    /// A row holds what this program never writes.
    #[error("the database holds {0}, which this program never writes: it was changed by other hands")]
    Corrupt(String),
}

impl StoreError {
    /// Whether the database's disk is full: SQLite's result code SQLITE_FULL, or an operating system error.
    pub fn is_disk_full(&self) -> bool {
        let source = match self {
            StoreError::Open { source, .. } | StoreError::Query { source, .. } => source,
            _ => return false,
        };
        match source {
            sqlx::Error::Database(error) => error.code().is_some_and(|code| code == "13"),
            sqlx::Error::Io(error) => error.kind() == std::io::ErrorKind::StorageFull,
            _ => false,
        }
    }
}

/// Says what was being done when a statement failed.
fn query_error(doing: &'static str) -> impl FnOnce(sqlx::Error) -> StoreError {
    move |source| StoreError::Query { doing, source }
}

/// Numbers are BIGINT in the database and never negative in the program.
fn unsigned(column: i64, what: &str) -> Result<u64, StoreError> {
    u64::try_from(column).map_err(|_| StoreError::Corrupt(format!("the {what} {column}")))
}

/// A number as the database keeps it; beyond `i64::MAX` no row exists, so any such question finds nothing.
fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

impl Store {
    /// Opens the database file, creates it if it is missing and brings its tables up to date. Texts that hold
    /// secrets are sealed in it.
    pub async fn open(path: &Path, seal: Seal) -> Result<Self, StoreError> {
        let shown = path.display().to_string();
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
            .acquire_timeout(Duration::from_secs(15))
            .connect_with(options)
            .await
            .map_err(|source| StoreError::Open { path: shown.clone(), source })?;
        sqlx::migrate!("migrations/sqlite")
            .run(&pool)
            .await
            .map_err(|source| StoreError::Migrate { path: shown.clone(), source })?;
        let store = Self { pool, seal };
        store.check_seal(shown).await?;
        Ok(store)
    }

    /// Makes sure that the database is sealed with this key; an empty one is from now on.
    async fn check_seal(&self, shown: String) -> Result<(), StoreError> {
        let doing = "sealing the database";
        let of = "the seal";
        let mut transaction = self.begin(doing).await?;
        let (sealed, revisions): (Option<String>, i64) =
            sqlx::query_as("SELECT (SELECT sealed FROM seal), (SELECT COUNT(*) FROM revisions)")
                .fetch_one(&mut *transaction)
                .await
                .map_err(query_error(doing))?;
        match sealed {
            Some(sealed) => {
                return self.seal.open(of, &sealed).map(drop).map_err(|_| StoreError::WrongKey(shown));
            }
            None if revisions > 0 => return Err(StoreError::Unsealed(shown)),
            None => (),
        }
        sqlx::query("INSERT INTO seal (only, sealed) VALUES (1, $1)")
            .bind(self.seal.seal(of, "whole")?)
            .execute(&mut *transaction)
            .await
            .map_err(query_error(doing))?;
        transaction.commit().await.map_err(query_error(doing))
    }

    /// Waits for what is being written and closes the file.
    pub async fn close(&self) {
        self.pool.close().await;
    }

    /// Whether the database answers.
    pub async fn ping(&self) -> Result<(), StoreError> {
        sqlx::query("SELECT 1")
            .execute(&self.pool)
            .await
            .map_err(query_error("being asked for a sign of life"))?;
        Ok(())
    }

    /// Begins a transaction that will write.
    ///
    /// IMMEDIATE takes SQLite's one write lock now, where `busy_timeout` waits for it; taking it later, after
    /// a read, fails at once when another connection wrote in between.
    async fn begin(&self, doing: &'static str) -> Result<Transaction<'static, Sqlite>, StoreError> {
        self.pool.begin_with("BEGIN IMMEDIATE").await.map_err(query_error(doing))
    }
}
