//! What the control plane remembers: revisions, node files, reports, tokens, jobs and the audit log, in SQLite or
//! PostgreSQL.
//!
//! All SQL of the program is in this folder, one file a subject; `sqlite` and `postgres` hold what only one of the
//! two databases has, and `contract` the tests that run on both. Every method that writes does so in one
//! transaction, the audit entry included. Who was first is decided by keys of the tables, never by a lock.

#[macro_use]
mod connection;
mod audit;
#[cfg(test)]
mod contract;
mod database_snapshot;
mod epoch;
mod jobs;
mod migrations;
mod nodes;
mod postgres;
mod reports;
mod resolutions;
mod revisions;
mod seal;
mod secret_parameters;
mod server_credentials;
mod sessions;
mod sqlite;
#[cfg(test)]
mod test_database;
mod tokens;
mod users;

use std::path::PathBuf;

use model::wire::ControlPlaneEvent;
use tokio::sync::broadcast;

pub(crate) use audit::TimeAndActor;
use connection::{DatabasePool, PooledReadConnection, WriteTransaction};
pub(crate) use database_snapshot::{
    check_postgres_database_can_be_filled, restore_postgres_dump_into_empty_database,
};
pub(crate) use jobs::{JobRow, JobState, LeasedJob, NewJob};
pub(crate) use nodes::{NewNodeFile, StoredNodeFile};
pub(crate) use postgres::DatabaseUrl;
pub(crate) use reports::{NewReport, ReportSummaryColumns, ServerStatusRow};
pub(crate) use resolutions::NewResolutionRow;
pub(crate) use revisions::{PlaceChange, PlaceTextAndOriginsRow};
pub(crate) use seal::SealingKey;
pub(crate) use server_credentials::NewJoinTokenRow;
pub(crate) use sessions::{NewSessionRow, SessionRow};
pub(crate) use tokens::{GrantRow, NewTokenRow};
pub(crate) use users::{NewPasswordLinkRow, UserRow};

/// How many events wait for a listener that is slow; then it has to look at everything.
const WAITING_EVENTS: usize = 1024;

/// How many places one statement looks up by path.
const PATHS_PER_STATEMENT: usize = 8;

/// The paths that one statement looks up; no place has an empty one.
fn pad_paths_to_statement(paths: &[String]) -> [&str; PATHS_PER_STATEMENT] {
    std::array::from_fn(|index| paths.get(index).map_or("", String::as_str))
}

type EventSender = broadcast::Sender<ControlPlaneEvent>;

/// Which database.
#[derive(Debug, Clone)]
pub(crate) enum DatabaseLocation {
    /// A file of SQLite.
    File(PathBuf),
    /// A database of PostgreSQL.
    Url(DatabaseUrl),
}

impl std::fmt::Display for DatabaseLocation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            DatabaseLocation::File(path) => path.display().fmt(f),
            DatabaseLocation::Url(url) => url.fmt(f),
        }
    }
}

/// The database. Clones share its connections.
#[derive(Debug, Clone)]
pub(crate) struct Store {
    pool: DatabasePool,
    location: DatabaseLocation,
    seal: SealingKey,
    epoch: u64,
    events: EventSender,
}

/// A database that is open, but whose seal was not checked yet: nothing can be read from it.
#[derive(Debug)]
pub(crate) struct StoreWithUncheckedKeys {
    pool: DatabasePool,
    location: DatabaseLocation,
    sealed: Option<(String, String, i64)>,
}

/// Why the database did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StoreError {
    /// The database could not be opened.
    #[error("the database `{database}` could not be opened")]
    Open {
        /// The file or URL.
        database: String,
        /// The cause.
        source: sqlx::Error,
    },
    /// The tables could not be brought to this program's version.
    #[error("the tables of the database `{database}` could not be brought up to date")]
    Migrate {
        /// The file or URL.
        database: String,
        /// What went wrong.
        source: sqlx::migrate::MigrateError,
    },
    /// A program of a newer version has served it.
    #[error(
        "the database `{database}` was served by a newer geppetto than this one ({}), which does not know its migration {migration}",
        env!("CARGO_PKG_VERSION")
    )]
    NewerTables {
        /// The file or URL.
        database: String,
        /// The migration that this program does not have.
        migration: i64,
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
    #[error("the database `{0}` was sealed with another key than `keys/store.key`")]
    WrongKey(String),
    /// The node key is not the one that signs the node files of this database.
    #[error("the node files in the database `{0}` are signed with another key than `keys/node.key`")]
    WrongNodeKey(String),
    /// There are texts in the database, and none of them is sealed.
    #[error("the database `{0}` holds an estate but no seal: it was changed by another program")]
    Unsealed(String),
    /// A sealed text cannot be opened.
    #[error("the sealed text of {0} in the database cannot be opened: it was changed by another program")]
    Sealed(String),
    /// The tables are of an earlier version, and are not to be changed now.
    #[error("the tables of the database `{0}` are of an earlier version of geppetto")]
    OlderTables(String),
    /// No control plane has ever used the database.
    #[error("no control plane has used the database `{0}` yet")]
    NeverUsed(String),
    /// A program of PostgreSQL did not do what it was asked to.
    #[error("{program} failed: {why}")]
    ClientProgram {
        /// `pg_dump` or `pg_restore`.
        program: String,
        /// Its own words, or why it could not be started.
        why: String,
    },
    /// The database that a backup shall be recovered into is not empty.
    #[error("the database `{0}` is not empty: a backup is recovered into an empty one")]
    NotEmpty(String),
    /// The name of a token is taken.
    #[error("there is a token named `{0}` already")]
    NameTaken(String),
    /// The name of a user is taken.
    #[error("there is a user named `{0}` already, perhaps a disabled one; choose another name")]
    UserNameTaken(String),
    /// A row holds what this program never writes.
    #[error("the database holds {0}, which this program never writes: it was changed by another program")]
    Corrupt(String),
}

impl StoreError {
    /// Whether the database's disk is full, by the database's own error code or that of the operating system.
    pub(crate) fn is_disk_full(&self) -> bool {
        use sqlx::migrate::MigrateError::{Execute, ExecuteMigration};
        let source = match self {
            StoreError::Open { source, .. }
            | StoreError::Query { source, .. }
            | StoreError::Migrate { source: Execute(source) | ExecuteMigration(source, _), .. } => source,
            _ => return false,
        };
        match source {
            sqlx::Error::Database(error) => error.code().is_some_and(|code| {
                sqlite::DISK_FULL_ERROR_CODES.contains(&&*code) || code == postgres::DISK_FULL_ERROR_CODE
            }),
            sqlx::Error::Io(error) => error.kind() == std::io::ErrorKind::StorageFull,
            _ => false,
        }
    }

    /// Whether the same may well succeed in a moment: the database is locked by somebody else, has no connection left, or
    /// cannot be reached.
    pub(crate) fn is_temporary(&self) -> bool {
        let source = match self {
            StoreError::Open { source, .. } | StoreError::Query { source, .. } => source,
            _ => return false,
        };
        match source {
            sqlx::Error::Database(error) => error.code().is_some_and(|code| {
                sqlite::is_busy_error_code(&code) || postgres::TEMPORARY_ERROR_CODES.contains(&&*code)
            }),
            sqlx::Error::PoolTimedOut => true,
            sqlx::Error::Io(error) => error.kind() != std::io::ErrorKind::StorageFull,
            _ => false,
        }
    }
}

/// Adds what was being done to the error of a statement.
fn query_error(doing: &'static str) -> impl FnOnce(sqlx::Error) -> StoreError {
    move |source| StoreError::Query { doing, source }
}

/// Whether another writer was first: a unique key is taken.
fn is_taken(error: &sqlx::Error) -> bool {
    error.as_database_error().is_some_and(|error| error.is_unique_violation())
}

/// Whether a statement names a table that the database does not have.
fn is_missing_table(error: &sqlx::Error) -> bool {
    error.as_database_error().is_some_and(|error| {
        error.code().is_some_and(|code| code == postgres::MISSING_TABLE_ERROR_CODE)
            || error.message().starts_with("no such table")
    })
}

/// Numbers are BIGINT in the database and never negative in the program.
fn unsigned(column: i64, what: &str) -> Result<u64, StoreError> {
    u64::try_from(column).map_err(|_| StoreError::Corrupt(format!("the {what} {column}")))
}

/// A number as the database keeps it; beyond `i64::MAX` no row exists, so any such question finds nothing.
fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// What the seal of the whole database is sealed with.
const SEAL_CONTEXT: &str = "the seal";

impl StoreError {
    /// The error of migrations that could not be applied to `database`.
    fn from_migrate_error(database: String, source: sqlx::migrate::MigrateError) -> Self {
        match source {
            sqlx::migrate::MigrateError::VersionMissing(migration) => {
                Self::NewerTables { database, migration }
            }
            source => Self::Migrate { database, source },
        }
    }
}

impl StoreWithUncheckedKeys {
    /// Opens the database, creates its file if it is missing, and brings its tables up to date.
    pub(crate) async fn open_and_migrate(database: &DatabaseLocation) -> Result<Self, StoreError> {
        let pool = match database {
            DatabaseLocation::File(path) => {
                DatabasePool::Sqlite(sqlite::open_and_migrate_sqlite(path).await?)
            }
            DatabaseLocation::Url(url) => {
                DatabasePool::Postgres(postgres::connect_and_migrate_postgres(url).await?)
            }
        };
        Self::with_seal_read(pool, database).await
    }

    /// Opens a database that a control plane has used, and whose tables are those of this program: nothing is created or
    /// changed.
    pub(crate) async fn open_used_without_migrating(database: &DatabaseLocation) -> Result<Self, StoreError> {
        let (pool, known): (_, Vec<i64>) = match database {
            DatabaseLocation::File(path) => {
                let pool = sqlite::open_sqlite_file(path, false).await?;
                (DatabasePool::Sqlite(pool), sqlite::MIGRATIONS.iter().map(|one| one.version).collect())
            }
            DatabaseLocation::Url(url) => {
                let pool = postgres::connect_to_postgres(url).await?;
                (DatabasePool::Postgres(pool), postgres::MIGRATIONS.iter().map(|one| one.version).collect())
            }
        };
        let doing = "reading which version its tables have";
        let mut connection = pool.acquire_read_connection(doing).await?;
        let applied: Result<Vec<(i64,)>, StoreError> =
            fetch_all!(connection, doing, "SELECT version FROM _sqlx_migrations");
        let applied = match applied {
            // Somebody has made the database, and no control plane has started with it.
            Err(StoreError::Query { source, .. }) if is_missing_table(&source) => {
                return Err(StoreError::NeverUsed(database.to_string()));
            }
            applied => applied?,
        };
        drop(connection);
        if let Some((migration,)) = applied.iter().find(|(version,)| !known.contains(version)) {
            return Err(StoreError::NewerTables { database: database.to_string(), migration: *migration });
        }
        if known.iter().any(|version| !applied.contains(&(*version,))) {
            return Err(StoreError::OlderTables(database.to_string()));
        }
        let store = Self::with_seal_read(pool, database).await?;
        match store.was_used_before() {
            true => Ok(store),
            false => Err(StoreError::NeverUsed(database.to_string())),
        }
    }

    async fn with_seal_read(pool: DatabasePool, database: &DatabaseLocation) -> Result<Self, StoreError> {
        let mut store = Self { pool, location: database.clone(), sealed: None };
        store.sealed = store.read_seal().await?;
        Ok(store)
    }

    /// Whether a control plane has used this database before.
    pub(crate) fn was_used_before(&self) -> bool {
        self.sealed.is_some()
    }

    /// Makes sure that the database belongs to these two keys; an empty one does from now on.
    pub(crate) async fn check_or_set_both_keys(
        mut self,
        seal: SealingKey,
        node_key: &str,
    ) -> Result<Store, StoreError> {
        let doing = "sealing the database";
        let (events, _) = broadcast::channel(WAITING_EVENTS);
        if self.sealed.is_none() {
            let mut transaction =
                self.pool.begin_write_transaction_with_events(doing, events.clone()).await?;
            let (revisions,): (i64,) = fetch_one!(transaction, doing, "SELECT COUNT(*) FROM revisions")?;
            if revisions > 0 {
                return Err(StoreError::Unsealed(self.location.to_string()));
            }
            // Of two control planes that start at once, the first one's keys hold.
            execute!(
                transaction,
                doing,
                "INSERT INTO control_plane (only_row, sealed, node_key, epoch) VALUES (1, $1, $2, 1)
                 ON CONFLICT DO NOTHING",
                seal.seal_text(SEAL_CONTEXT, "whole")?,
                node_key,
            )?;
            transaction.commit_and_announce_events(doing).await?;
            self.sealed = self.read_seal().await?;
        }
        let (sealed, known_node_key, epoch) = self.sealed.unwrap_or_default();
        if seal.open_sealed_text(SEAL_CONTEXT, &sealed).is_err() {
            return Err(StoreError::WrongKey(self.location.to_string()));
        }
        if known_node_key != node_key {
            return Err(StoreError::WrongNodeKey(self.location.to_string()));
        }
        if let DatabasePool::Postgres(pool) = &self.pool {
            let listener =
                postgres::open_event_listener(pool).await.map_err(query_error("listening to events"))?;
            tokio::spawn(postgres::forward_postgres_events(pool.clone(), listener, events.clone()));
        }
        Ok(Store { pool: self.pool, location: self.location, seal, epoch: unsigned(epoch, "epoch")?, events })
    }

    async fn read_seal(&self) -> Result<Option<(String, String, i64)>, StoreError> {
        let doing = "reading the seal of the database";
        let mut connection = self.pool.acquire_read_connection(doing).await?;
        fetch_optional!(connection, doing, "SELECT sealed, node_key, epoch FROM control_plane")
    }
}

impl Store {
    /// Waits for what is being written and closes the database.
    pub(crate) async fn close(&self) {
        self.pool.close().await;
    }

    /// Writes something: a database that answers may still have no room, or no right, to write.
    pub(crate) async fn write_health_row(&self, at_us: i64) -> Result<(), StoreError> {
        let doing = "being asked whether it works";
        let mut transaction = self.begin(doing).await?;
        execute!(transaction, doing, "UPDATE health SET written_us = $1", at_us)?;
        transaction.commit_and_announce_events(doing).await
    }

    /// What changes from now on.
    pub(crate) fn subscribe_to_events(&self) -> broadcast::Receiver<ControlPlaneEvent> {
        self.events.subscribe()
    }

    async fn connection(&self, doing: &'static str) -> Result<PooledReadConnection, StoreError> {
        self.pool.acquire_read_connection(doing).await
    }

    /// Begins a transaction that will write.
    async fn begin(&self, doing: &'static str) -> Result<WriteTransaction, StoreError> {
        self.pool.begin_write_transaction_with_events(doing, self.events.clone()).await
    }
}
