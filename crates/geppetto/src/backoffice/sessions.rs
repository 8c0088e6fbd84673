//! Sessions: logging in with a browser, and out.

use rand::rngs::OsRng;

use super::{BackOffice, BackOfficeError, access};
use crate::{
    auth::{BearerSecretKind, PresentedBearerSecret, Principal, generate_bearer_secret, verify_password},
    store::{NewSessionRow, SessionRow},
};

/// How long a session lasts without being used, in microseconds: twelve hours.
const IDLE_US: i64 = 12 * 3_600_000_000;
/// How long a session lasts however much it is used, in microseconds: seven days.
const LONGEST_US: i64 = 7 * 86_400_000_000;
/// How exactly the last use is known, in microseconds: a minute.
const USE_NOTED_EVERY_US: i64 = 60_000_000;

/// How an attempt to log in ended.
#[derive(Debug)]
pub(crate) enum LogInOutcome {
    /// The secret of the new session, for the browser alone.
    LoggedIn(String),
    /// There is no such user, or this is not the password.
    WrongNameOrPassword,
    /// Too many attempts with this name from this address wait already.
    TooManyAttempts,
}

/// Who is logged in.
#[derive(Debug, Clone)]
pub(crate) struct LoggedInUser {
    /// With what the person may do now.
    pub(crate) principal: Principal,
    /// The name to log in with.
    pub(crate) name: String,
    /// The public part of the session.
    pub(crate) session_id: String,
}

impl BackOffice {
    /// Logs a person in who comes from `address`.
    pub(crate) async fn log_in(
        &self,
        name: &str,
        password: &str,
        address: &str,
    ) -> Result<LogInOutcome, BackOfficeError> {
        let Some(attempt) = self.log_in_delays.begin_attempt(name, address, self.clock.now_us()) else {
            return Ok(LogInOutcome::TooManyAttempts);
        };
        tokio::time::sleep(attempt.wait).await;
        let user = self.store.read_user(name).await?.filter(|user| user.disabled_us.is_none());
        let (password, hash) =
            (password.to_owned(), user.as_ref().and_then(|user| user.password_hash.clone()));
        let right = self.password_work.run(move || verify_password(&password, hash.as_deref())).await?;
        attempt.finish(right);
        let Some(user) = user.filter(|_| right) else {
            tracing::info!(address, "an attempt to log in failed");
            return Ok(LogInOutcome::WrongNameOrPassword);
        };
        let actor = format!("user {}", user.name);
        let context = self.audit_context(&actor);
        let generated = generate_bearer_secret(BearerSecretKind::Session, &mut OsRng);
        let session = NewSessionRow {
            id: &generated.id,
            user: &user.name,
            hash: &generated.hash,
            expires_us: context.at_us.saturating_add(LONGEST_US),
        };
        self.store.insert_session(&session, context.at_us.saturating_sub(IDLE_US), &context).await?;
        Ok(LogInOutcome::LoggedIn(generated.text))
    }

    /// Who is logged in with this secret; nothing when the session is over.
    pub(crate) async fn authenticate_session(
        &self,
        secret: &str,
    ) -> Result<Option<LoggedInUser>, BackOfficeError> {
        let presented = PresentedBearerSecret::parse_presented_secret(secret);
        let Some(presented) = presented.filter(|it| it.kind == BearerSecretKind::Session) else {
            return Ok(None);
        };
        let now_us = self.clock.now_us();
        let session = self
            .store
            .read_valid_session_by_id(&presented.id, now_us, now_us.saturating_sub(IDLE_US))
            .await?;
        let Some(session) = session.filter(|session| presented.matches_hash(&session.hash)) else {
            return Ok(None);
        };
        let user = self.store.read_user(&session.user).await?.filter(|user| user.disabled_us.is_none());
        let Some(user) = user else { return Ok(None) };
        if now_us.saturating_sub(session.used_us) >= USE_NOTED_EVERY_US {
            self.store.mark_session_used(&session.id, now_us).await?;
        }
        let grants = user.grants.iter().map(access::read_grant).collect::<Result<_, _>>()?;
        let principal = Principal::User { name: user.name.clone(), grants };
        Ok(Some(LoggedInUser { principal, name: user.name, session_id: session.id }))
    }

    /// The sessions of a person, newest first.
    pub(crate) async fn list_own_sessions(
        &self,
        user: &LoggedInUser,
    ) -> Result<Vec<SessionRow>, BackOfficeError> {
        let now_us = self.clock.now_us();
        let unused_since_us = now_us.saturating_sub(IDLE_US);
        Ok(self.store.read_valid_sessions_of_user(&user.name, now_us, unused_since_us).await?)
    }

    /// Ends a session of the person who asks; one that is over already is no fault.
    pub(crate) async fn end_own_session(
        &self,
        user: &LoggedInUser,
        session_id: &str,
    ) -> Result<(), BackOfficeError> {
        let actor = user.principal.audit_actor();
        self.store.end_session(session_id, &user.name, &self.audit_context(&actor)).await?;
        Ok(())
    }
}
