//! Sessions: browsers that somebody is logged in with. The database holds hashes of their secrets.

use model::wire::ControlPlaneEvent;

use super::{Store, StoreError, TimeAndActor, audit};

/// A session to be stored.
#[derive(Debug, Clone)]
pub(crate) struct NewSessionRow<'a> {
    /// Its public part.
    pub(crate) id: &'a str,
    /// Whose it is.
    pub(crate) user: &'a str,
    /// SHA-256 of its whole secret, in hexadecimal.
    pub(crate) hash: &'a str,
    /// When it ends however much it is used, in microseconds since 1970-01-01 UTC.
    pub(crate) expires_us: i64,
}

/// A session that is good.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SessionRow {
    /// Its public part.
    pub(crate) id: String,
    /// Whose it is.
    pub(crate) user: String,
    /// SHA-256 of its whole secret, in hexadecimal.
    pub(crate) hash: String,
    /// Since when, in microseconds since 1970-01-01 UTC.
    pub(crate) created_us: i64,
    /// When it was used last, a minute more or less.
    pub(crate) used_us: i64,
    /// When it ends however much it is used.
    pub(crate) expires_us: i64,
}

type SessionColumns = (String, String, String, i64, i64, i64);

fn session_row((id, user, hash, created_us, used_us, expires_us): SessionColumns) -> SessionRow {
    SessionRow { id, user, hash, created_us, used_us, expires_us }
}

impl Store {
    /// Stores a session, and forgets those of the same user that are over.
    pub(crate) async fn insert_session(
        &self,
        session: &NewSessionRow<'_>,
        unused_since_us: i64,
        context: &TimeAndActor<'_>,
    ) -> Result<(), StoreError> {
        let doing = "storing a session";
        let mut transaction = self.begin(doing).await?;
        execute!(
            transaction,
            doing,
            "DELETE FROM sessions WHERE user_name = $1 AND (expires_us <= $2 OR used_us <= $3)",
            session.user,
            context.at_us,
            unused_since_us,
        )?;
        execute!(
            transaction,
            doing,
            "INSERT INTO sessions (id, user_name, hash, created_us, used_us, expires_us)
             VALUES ($1, $2, $3, $4, $4, $5)",
            session.id,
            session.user,
            session.hash,
            context.at_us,
            session.expires_us,
        )?;
        let detail = format!("session {}", session.id);
        audit::insert_audit_entry(&mut transaction, context, "log-in", session.user, &detail).await?;
        transaction.commit_and_announce_events(doing).await
    }

    /// The session with this public part, if it is good at `now_us` and was used after `unused_since_us`.
    pub(crate) async fn read_valid_session_by_id(
        &self,
        id: &str,
        now_us: i64,
        unused_since_us: i64,
    ) -> Result<Option<SessionRow>, StoreError> {
        let doing = "looking up a session";
        let mut connection = self.connection(doing).await?;
        let row: Option<SessionColumns> = fetch_optional!(
            connection,
            doing,
            "SELECT id, user_name, hash, created_us, used_us, expires_us FROM sessions
             WHERE id = $1 AND expires_us > $2 AND used_us > $3",
            id,
            now_us,
            unused_since_us,
        )?;
        Ok(row.map(session_row))
    }

    /// The sessions of a user that are good, newest first.
    pub(crate) async fn read_valid_sessions_of_user(
        &self,
        user: &str,
        now_us: i64,
        unused_since_us: i64,
    ) -> Result<Vec<SessionRow>, StoreError> {
        let doing = "reading sessions";
        let mut connection = self.connection(doing).await?;
        let rows: Vec<SessionColumns> = fetch_all!(
            connection,
            doing,
            "SELECT id, user_name, hash, created_us, used_us, expires_us FROM sessions
             WHERE user_name = $1 AND expires_us > $2 AND used_us > $3 ORDER BY created_us DESC, id",
            user,
            now_us,
            unused_since_us,
        )?;
        Ok(rows.into_iter().map(session_row).collect())
    }

    /// Notes that a session was used.
    pub(crate) async fn mark_session_used(&self, id: &str, now_us: i64) -> Result<(), StoreError> {
        let doing = "noting the use of a session";
        let mut transaction = self.begin(doing).await?;
        execute!(transaction, doing, "UPDATE sessions SET used_us = $1 WHERE id = $2", now_us, id)?;
        transaction.commit_and_announce_events(doing).await
    }

    /// Ends a session of a user; `false` if there is none.
    pub(crate) async fn end_session(
        &self,
        id: &str,
        user: &str,
        context: &TimeAndActor<'_>,
    ) -> Result<bool, StoreError> {
        let doing = "ending a session";
        let mut transaction = self.begin(doing).await?;
        let ended =
            execute!(transaction, doing, "DELETE FROM sessions WHERE id = $1 AND user_name = $2", id, user,)?;
        if ended == 0 {
            return Ok(false);
        }
        audit::insert_audit_entry(&mut transaction, context, "log-out", user, &format!("session {id}"))
            .await?;
        transaction.announce_on_commit(ControlPlaneEvent::AccessChanged {});
        transaction.commit_and_announce_events(doing).await?;
        Ok(true)
    }
}
