//! Connections and transactions on either database, and the macros that run one statement on them.
//!
//! A statement is written once, with `$1` placeholders, in the SQL that both databases read; each macro expands to
//! one call for SQLite and one for PostgreSQL, with rows and errors of the same types.

use model::wire::Event;
use sqlx::{PgConnection, PgPool, Postgres, Sqlite, SqliteConnection, SqlitePool, pool::PoolConnection};

use super::{EventSender, StoreError, postgres, query_error, sqlite};

/// The connections to one database.
#[derive(Debug, Clone)]
pub(super) enum Pool {
    Sqlite(SqlitePool),
    Postgres(PgPool),
}

/// A connection for statements that only read, each of which sees one state.
pub(super) enum Connection {
    Sqlite(PoolConnection<Sqlite>),
    Postgres(PoolConnection<Postgres>),
}

/// A transaction that writes: the statements, the audit entry and the events of one write.
pub(super) struct Transaction {
    begun: Begun,
    sender: EventSender,
    events: Vec<Event>,
}

enum Begun {
    Sqlite(sqlx::Transaction<'static, Sqlite>),
    Postgres(sqlx::Transaction<'static, Postgres>),
}

/// What a statement runs on.
pub(super) enum Handle<'a> {
    Sqlite(&'a mut SqliteConnection),
    Postgres(&'a mut PgConnection),
}

impl Pool {
    /// A connection to read with.
    pub(super) async fn acquire(&self, doing: &'static str) -> Result<Connection, StoreError> {
        Ok(match self {
            Pool::Sqlite(pool) => Connection::Sqlite(pool.acquire().await.map_err(query_error(doing))?),
            Pool::Postgres(pool) => Connection::Postgres(pool.acquire().await.map_err(query_error(doing))?),
        })
    }

    /// Begins a transaction that will write.
    pub(super) async fn begin(
        &self,
        doing: &'static str,
        sender: EventSender,
    ) -> Result<Transaction, StoreError> {
        let begun = match self {
            Pool::Sqlite(pool) => Begun::Sqlite(sqlite::begin(pool).await.map_err(query_error(doing))?),
            Pool::Postgres(pool) => Begun::Postgres(pool.begin().await.map_err(query_error(doing))?),
        };
        Ok(Transaction { begun, sender, events: Vec::new() })
    }

    /// Waits for what is being written and closes all connections.
    pub(super) async fn close(&self) {
        match self {
            Pool::Sqlite(pool) => pool.close().await,
            Pool::Postgres(pool) => pool.close().await,
        }
    }
}

impl Connection {
    pub(super) fn handle(&mut self) -> Handle<'_> {
        match self {
            Connection::Sqlite(connection) => Handle::Sqlite(connection),
            Connection::Postgres(connection) => Handle::Postgres(connection),
        }
    }
}

impl Transaction {
    pub(super) fn handle(&mut self) -> Handle<'_> {
        match &mut self.begun {
            Begun::Sqlite(transaction) => Handle::Sqlite(transaction),
            Begun::Postgres(transaction) => Handle::Postgres(transaction),
        }
    }

    /// Adds an event, which listeners get once the transaction is committed.
    pub(super) fn announce(&mut self, event: Event) {
        self.events.push(event);
    }

    /// Commits, and announces the events: on PostgreSQL to every control plane, this one included.
    pub(super) async fn commit(self, doing: &'static str) -> Result<(), StoreError> {
        let Self { begun, sender, events } = self;
        match begun {
            Begun::Sqlite(transaction) => {
                transaction.commit().await.map_err(query_error(doing))?;
                // Nobody listens: that is no error.
                events.into_iter().for_each(|event| _ = sender.send(event));
            }
            Begun::Postgres(mut transaction) => {
                postgres::notify(&mut transaction, &events).await.map_err(query_error(doing))?;
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
        match $on.handle() {
            $crate::store::connection::Handle::Sqlite(connection) => {
                sqlx::query($sql)$(.bind($value))*.execute(connection).await.map(|done| done.rows_affected())
            }
            $crate::store::connection::Handle::Postgres(connection) => {
                sqlx::query($sql)$(.bind($value))*.execute(connection).await.map(|done| done.rows_affected())
            }
        }
    };
}

macro_rules! fetch {
    ($method:ident, $on:expr, $doing:expr, $sql:expr $(, $value:expr)*) => {
        match $on.handle() {
            $crate::store::connection::Handle::Sqlite(connection) => {
                sqlx::query_as($sql)$(.bind($value))*.$method(connection).await
            }
            $crate::store::connection::Handle::Postgres(connection) => {
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
