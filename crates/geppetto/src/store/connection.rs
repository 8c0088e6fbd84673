//! Connections and transactions on either database, and the macros that run one statement on them.
//!
//! A statement is written once, with `$1` placeholders, in the SQL that both databases read; each macro expands to
//! one call for SQLite and one for PostgreSQL, with rows and errors of the same types.

use model::wire::ControlPlaneEvent;
use sqlx::{PgConnection, PgPool, Postgres, Sqlite, SqliteConnection, SqlitePool, pool::PoolConnection};

use super::{EventSender, StoreError, postgres, query_error, sqlite::SqliteWriteTransaction};

/// The connections to one database.
#[derive(Debug, Clone)]
pub(super) enum DatabasePool {
    Sqlite(SqlitePool),
    Postgres(PgPool),
}

/// A connection for statements that only read, each of which sees one state.
pub(super) enum PooledReadConnection {
    Sqlite(PoolConnection<Sqlite>),
    Postgres(PoolConnection<Postgres>),
}

/// A transaction that writes: the statements, the audit entry and the events of one write.
pub(super) struct WriteTransaction {
    begun: Begun,
    sender: EventSender,
    events: Vec<ControlPlaneEvent>,
}

enum Begun {
    Sqlite(SqliteWriteTransaction),
    Postgres(sqlx::Transaction<'static, Postgres>),
}

/// What a statement runs on.
pub(super) enum SqlExecutor<'a> {
    Sqlite(&'a mut SqliteConnection),
    Postgres(&'a mut PgConnection),
}

impl DatabasePool {
    /// A connection to read with.
    pub(super) async fn acquire_read_connection(
        &self,
        doing: &'static str,
    ) -> Result<PooledReadConnection, StoreError> {
        Ok(match self {
            DatabasePool::Sqlite(pool) => {
                PooledReadConnection::Sqlite(pool.acquire().await.map_err(query_error(doing))?)
            }
            DatabasePool::Postgres(pool) => {
                PooledReadConnection::Postgres(pool.acquire().await.map_err(query_error(doing))?)
            }
        })
    }

    /// Begins a transaction that will write.
    pub(super) async fn begin_write_transaction_with_events(
        &self,
        doing: &'static str,
        sender: EventSender,
    ) -> Result<WriteTransaction, StoreError> {
        let begun = match self {
            DatabasePool::Sqlite(pool) => {
                Begun::Sqlite(SqliteWriteTransaction::begin(pool).await.map_err(query_error(doing))?)
            }
            DatabasePool::Postgres(pool) => Begun::Postgres(pool.begin().await.map_err(query_error(doing))?),
        };
        Ok(WriteTransaction { begun, sender, events: Vec::new() })
    }

    /// Waits for what is being written and closes all connections.
    pub(super) async fn close(&self) {
        match self {
            DatabasePool::Sqlite(pool) => pool.close().await,
            DatabasePool::Postgres(pool) => pool.close().await,
        }
    }
}

impl PooledReadConnection {
    pub(super) fn sql_executor(&mut self) -> SqlExecutor<'_> {
        match self {
            PooledReadConnection::Sqlite(connection) => SqlExecutor::Sqlite(connection),
            PooledReadConnection::Postgres(connection) => SqlExecutor::Postgres(connection),
        }
    }
}

impl WriteTransaction {
    pub(super) fn sql_executor(&mut self) -> SqlExecutor<'_> {
        match &mut self.begun {
            Begun::Sqlite(transaction) => SqlExecutor::Sqlite(transaction.connection()),
            Begun::Postgres(transaction) => SqlExecutor::Postgres(transaction),
        }
    }

    /// Adds an event, which listeners get once the transaction is committed.
    pub(super) fn announce_on_commit(&mut self, event: ControlPlaneEvent) {
        self.events.push(event);
    }

    /// Commits, and announces the events: on PostgreSQL to every control plane, this one included.
    pub(super) async fn commit_and_announce_events(self, doing: &'static str) -> Result<(), StoreError> {
        let Self { begun, sender, events } = self;
        match begun {
            Begun::Sqlite(transaction) => {
                transaction.commit().await.map_err(query_error(doing))?;
                // Nobody listens: that is no error.
                events.into_iter().for_each(|event| _ = sender.send(event));
            }
            Begun::Postgres(mut transaction) => {
                postgres::notify_events(&mut transaction, &events).await.map_err(query_error(doing))?;
                transaction.commit().await.map_err(query_error(doing))?;
            }
        }
        Ok(())
    }
}

/// Runs a statement; gives how many rows it changed.
macro_rules! execute {
    ($on:expr, $doing:expr, $sql:expr $(, $value:expr)* $(,)?) => {
        execute_raw!($on, $sql $(, $value)*).map_err($crate::store::query_error($doing))
    };
}

/// Runs a statement; gives how many rows it changed, or the database's own error.
macro_rules! execute_raw {
    ($on:expr, $sql:expr $(, $value:expr)* $(,)?) => {
        match $on.sql_executor() {
            $crate::store::connection::SqlExecutor::Sqlite(connection) => {
                sqlx::query($sql)$(.bind($value))*.execute(connection).await.map(|done| done.rows_affected())
            }
            $crate::store::connection::SqlExecutor::Postgres(connection) => {
                sqlx::query($sql)$(.bind($value))*.execute(connection).await.map(|done| done.rows_affected())
            }
        }
    };
}

macro_rules! fetch {
    ($method:ident, $on:expr, $doing:expr, $sql:expr $(, $value:expr)*) => {
        match $on.sql_executor() {
            $crate::store::connection::SqlExecutor::Sqlite(connection) => {
                sqlx::query_as($sql)$(.bind($value))*.$method(connection).await
            }
            $crate::store::connection::SqlExecutor::Postgres(connection) => {
                sqlx::query_as($sql)$(.bind($value))*.$method(connection).await
            }
        }
        .map_err($crate::store::query_error($doing))
    };
}

/// Runs a query that has one row.
macro_rules! fetch_one {
    ($on:expr, $doing:expr, $sql:expr $(, $value:expr)* $(,)?) => { fetch!(fetch_one, $on, $doing, $sql $(, $value)*) };
}

/// Runs a query that has a row or none.
macro_rules! fetch_optional {
    ($on:expr, $doing:expr, $sql:expr $(, $value:expr)* $(,)?) => { fetch!(fetch_optional, $on, $doing, $sql $(, $value)*) };
}

/// Runs a query that has any number of rows.
macro_rules! fetch_all {
    ($on:expr, $doing:expr, $sql:expr $(, $value:expr)* $(,)?) => { fetch!(fetch_all, $on, $doing, $sql $(, $value)*) };
}
