//! PostgreSQL: one database for several control planes, named by a URL.

use std::{str::FromStr as _, sync::LazyLock, time::Duration};

use model::wire::ControlPlaneEvent;
use sqlx::{
    Connection as _, PgConnection, PgPool,
    migrate::Migrator,
    postgres::{PgConnectOptions, PgListener, PgPoolOptions},
};

use super::{
    EventSender, StoreError,
    migrations::{PostgresMigrationFiles, migrator_of_files},
};

/// The error code `disk_full`: <https://www.postgresql.org/docs/current/errcodes-appendix.html>.
pub(super) const DISK_FULL_ERROR_CODE: &str = "53100";
/// The error code `undefined_table`.
pub(super) const MISSING_TABLE_ERROR_CODE: &str = "42P01";
/// Error codes after which the same may succeed in a moment: lock_not_available, deadlock_detected, too_many_connections,
/// cannot_connect_now, admin_shutdown.
pub(super) const TEMPORARY_ERROR_CODES: [&str; 5] = ["55P03", "40P01", "53300", "57P03", "57P01"];
/// The channel of NOTIFY that events travel on.
const EVENTS: &str = "geppetto_events";
/// How long to wait before listening is tried again.
const LISTEN_AGAIN_AFTER: Duration = Duration::from_secs(2);

/// How long connecting may take.
const CONNECT_WITHIN: Duration = Duration::from_secs(15);

/// Connects to the database and brings its tables up to date. Control planes that start at once wait for each
/// other: the migrations hold an advisory lock.
pub(super) async fn connect_and_migrate_postgres(url: &DatabaseUrl) -> Result<PgPool, StoreError> {
    let pool = connect_to_postgres(url).await?;
    MIGRATIONS.run(&pool).await.map_err(|source| StoreError::from_migrate_error(url.to_string(), source))?;
    Ok(pool)
}

/// The steps that bring the tables to this program's version.
pub(super) static MIGRATIONS: LazyLock<Migrator> = LazyLock::new(migrator_of_files::<PostgresMigrationFiles>);

/// Connects to the database and leaves its tables as they are.
pub(super) async fn connect_to_postgres(url: &DatabaseUrl) -> Result<PgPool, StoreError> {
    let name = url.to_string();
    let options = PgConnectOptions::from_str(url.text_with_password())
        .map_err(|source| StoreError::Open { database: name.clone(), source })?
        .application_name("geppetto")
        // The text of a statement that fails is in the log of PostgreSQL already.
        .options([("lock_timeout", "30s"), ("idle_in_transaction_session_timeout", "60s")]);
    // The pool would try again for as long as it may take, and then name no cause.
    let first = tokio::time::timeout(CONNECT_WITHIN, PgConnection::connect_with(&options)).await;
    let first = first.unwrap_or(Err(sqlx::Error::PoolTimedOut));
    let connection = first.map_err(|source| StoreError::Open { database: name.clone(), source })?;
    let _ = connection.close().await;
    PgPoolOptions::new()
        .max_connections(16)
        .acquire_timeout(CONNECT_WITHIN)
        .connect_with(options)
        .await
        .map_err(|source| StoreError::Open { database: name, source })
}

/// Announces events to every control plane on this database, once the transaction is committed.
pub(super) async fn notify_events(
    connection: &mut PgConnection,
    events: &[ControlPlaneEvent],
) -> Result<(), sqlx::Error> {
    for event in events {
        // An event is identifiers and numbers: it always has a JSON form.
        let Ok(payload) = serde_json::to_string(event) else { continue };
        sqlx::query("SELECT pg_notify($1, $2)").bind(EVENTS).bind(payload).execute(&mut *connection).await?;
    }
    Ok(())
}

/// Listens to the events of all control planes on this database.
pub(super) async fn open_event_listener(pool: &PgPool) -> Result<PgListener, sqlx::Error> {
    let mut listener = PgListener::connect_with(pool).await?;
    listener.listen(EVENTS).await?;
    Ok(listener)
}

/// Passes on the events of all control planes on this database until its connections are closed.
///
/// When a connection was lost, events may have been missed: listeners are told to look at everything.
pub(super) async fn forward_postgres_events(pool: PgPool, mut listener: PgListener, sender: EventSender) {
    loop {
        if let Err(error) = pass_on_until_lost(&mut listener, &sender).await {
            tracing::warn!(%error, "the events of the database cannot be listened to; trying again");
        }
        loop {
            if pool.is_closed() {
                return;
            }
            match open_event_listener(&pool).await {
                Ok(again) => break listener = again,
                Err(_) => tokio::time::sleep(LISTEN_AGAIN_AFTER).await,
            }
        }
        _ = sender.send(ControlPlaneEvent::Resynchronize {});
    }
}

async fn pass_on_until_lost(listener: &mut PgListener, sender: &EventSender) -> Result<(), sqlx::Error> {
    while let Some(notification) = listener.try_recv().await? {
        match serde_json::from_str(notification.payload()) {
            Ok(event) => _ = sender.send(event),
            Err(error) => tracing::warn!(%error, "an event of the database is not understood"),
        }
    }
    Ok(())
}

/// The URL of a PostgreSQL database; printed without its password.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct DatabaseUrl(String);

impl DatabaseUrl {
    /// As it was given: not to be shown.
    pub(super) fn text_with_password(&self) -> &str {
        &self.0
    }
}

impl std::str::FromStr for DatabaseUrl {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let example = "write it like postgres://geppetto@db.example.org/geppetto";
        if !(text.starts_with("postgres://") || text.starts_with("postgresql://")) {
            return Err(format!("it is not the URL of a PostgreSQL database; {example}"));
        }
        // The parser's own message could repeat the password.
        PgConnectOptions::from_str(text).map_err(|_| format!("it is not a complete URL; {example}"))?;
        Ok(Self(text.to_owned()))
    }
}

impl std::fmt::Display for DatabaseUrl {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (scheme, rest) = self.0.split_once("://").unwrap_or(("postgres", &self.0));
        let rest = rest.split(['?', '#']).next().unwrap_or_default();
        let (user, host) = rest.rsplit_once('@').unwrap_or(("", rest));
        match user.split(':').next() {
            Some(user) if !user.is_empty() => write!(f, "{scheme}://{user}@{host}"),
            _ => write!(f, "{scheme}://{host}"),
        }
    }
}

impl std::fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "DatabaseUrl({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn printed_database_url_has_no_password() {
        let url: DatabaseUrl =
            "postgres://ann:hunter2@db.example.org:5433/geppetto?sslmode=require".parse().unwrap();
        assert_eq!(url.to_string(), "postgres://ann@db.example.org:5433/geppetto");
        assert!(!format!("{url:?}").contains("hunter2"));
        let error = "mysql://ann:hunter2@db/geppetto".parse::<DatabaseUrl>().unwrap_err();
        assert!(error.contains("postgres://") && !error.contains("hunter2"), "{error}");
    }
}
