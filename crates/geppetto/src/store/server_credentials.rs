//! How servers get in: one-time join tokens, and the credential each gets for one.

use model::wire::ControlPlaneEvent;

use super::{Store, StoreError, TimeAndActor, WriteTransaction, audit, is_taken, query_error, unsigned};

/// A join token to be stored.
#[derive(Debug, Clone)]
pub(crate) struct NewJoinTokenRow<'a> {
    /// Its public part.
    pub(crate) id: &'a str,
    /// The server that may join.
    pub(crate) server: &'a str,
    /// SHA-256 of the whole token, in hexadecimal.
    pub(crate) hash: &'a str,
    /// Until when it is good, in microseconds since 1970-01-01 UTC.
    pub(crate) expires_us: i64,
}

/// How a server is let in.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct CredentialStatusRow {
    /// When it got its credential, in microseconds since 1970-01-01 UTC; absent when it has none.
    pub(crate) joined_us: Option<i64>,
    /// How many join tokens for it can still be used.
    pub(crate) usable_join_tokens: u64,
}

/// How often a join is tried again because the same server joined with another token at the same moment. Each time
/// one of them succeeds.
const JOIN_ATTEMPTS: usize = 50;

/// Revokes a server's credential and the join tokens made for it; whether it had a credential.
pub(super) async fn revoke_credential_and_join_tokens(
    transaction: &mut WriteTransaction,
    server: &str,
    at_us: i64,
) -> Result<bool, StoreError> {
    let doing = "revoking a credential";
    execute!(
        transaction,
        doing,
        "UPDATE join_tokens SET expires_us = $1 WHERE server = $2 AND used_us IS NULL AND expires_us > $1",
        at_us,
        server,
    )?;
    let revoked = execute!(
        transaction,
        doing,
        "UPDATE credentials SET revoked_us = $1 WHERE server = $2 AND revoked_us IS NULL",
        at_us,
        server,
    )?;
    Ok(revoked > 0)
}

impl Store {
    /// Stores a join token.
    pub(crate) async fn insert_join_token(
        &self,
        token: &NewJoinTokenRow<'_>,
        context: &TimeAndActor<'_>,
    ) -> Result<(), StoreError> {
        let doing = "storing a join token";
        let mut transaction = self.begin(doing).await?;
        execute!(
            transaction,
            doing,
            "INSERT INTO join_tokens (id, server, hash, created_us, created_by, expires_us)
             VALUES ($1, $2, $3, $4, $5, $6)",
            token.id,
            token.server,
            token.hash,
            context.at_us,
            context.actor,
            token.expires_us,
        )?;
        let detail = format!("id {}", token.id);
        audit::insert_audit_entry(&mut transaction, context, "create-join-token", token.server, &detail)
            .await?;
        transaction.commit_and_announce_events(doing).await
    }

    /// The hash of the join token with this public part, if it is for `server` and good at `now_us`.
    pub(crate) async fn read_usable_join_token_hash(
        &self,
        id: &str,
        server: &str,
        now_us: i64,
    ) -> Result<Option<String>, StoreError> {
        let doing = "looking up a join token";
        let mut connection = self.connection(doing).await?;
        let row: Option<(String,)> = fetch_optional!(
            connection,
            doing,
            "SELECT hash FROM join_tokens
             WHERE id = $1 AND server = $2 AND used_us IS NULL AND expires_us > $3",
            id,
            server,
            now_us,
        )?;
        Ok(row.map(|(hash,)| hash))
    }

    /// Uses up the join token and gives the server its credential, revoking an earlier one.
    ///
    /// `false`, and nothing is changed, if the token was used up or expired in the meantime: of two who
    /// show the same token at the same moment, one gets in.
    pub(crate) async fn replace_credential_by_join_token(
        &self,
        join_token_id: &str,
        server: &str,
        credential_id: &str,
        credential_hash: &str,
        context: &TimeAndActor<'_>,
    ) -> Result<bool, StoreError> {
        let doing = "letting a server join";
        let mut attempt = 1;
        loop {
            let mut transaction = self.begin(doing).await?;
            let used = execute!(
                transaction,
                doing,
                "UPDATE join_tokens SET used_us = $1
                 WHERE id = $2 AND server = $3 AND used_us IS NULL AND expires_us > $1",
                context.at_us,
                join_token_id,
                server,
            )?;
            if used == 0 {
                return Ok(false);
            }
            execute!(
                transaction,
                doing,
                "UPDATE credentials SET revoked_us = $1 WHERE server = $2 AND revoked_us IS NULL",
                context.at_us,
                server,
            )?;
            let inserted = execute_raw!(
                transaction,
                "INSERT INTO credentials (id, server, hash, created_us) VALUES ($1, $2, $3, $4)",
                credential_id,
                server,
                credential_hash,
                context.at_us,
            );
            match inserted {
                Ok(_) => {}
                // The server joined with another token meanwhile: that credential is to be revoked too.
                Err(error) if is_taken(&error) && attempt < JOIN_ATTEMPTS => {
                    attempt += 1;
                    continue;
                }
                Err(error) => return Err(query_error(doing)(error)),
            }
            let detail = format!("join token {join_token_id}, credential {credential_id}");
            audit::insert_audit_entry(&mut transaction, context, "join", server, &detail).await?;
            transaction.commit_and_announce_events(doing).await?;
            return Ok(true);
        }
    }

    /// The server and hash of the credential with this public part, unless it is revoked.
    pub(crate) async fn read_unrevoked_credential_by_id(
        &self,
        id: &str,
    ) -> Result<Option<(String, String)>, StoreError> {
        let doing = "looking up a credential";
        let mut connection = self.connection(doing).await?;
        fetch_optional!(
            connection,
            doing,
            "SELECT server, hash FROM credentials WHERE id = $1 AND revoked_us IS NULL",
            id,
        )
    }

    /// Whether a server has a credential, and how many join tokens for it can be used at `now_us`.
    pub(crate) async fn read_credential_status(
        &self,
        server: &str,
        now_us: i64,
    ) -> Result<CredentialStatusRow, StoreError> {
        let doing = "looking up a credential";
        let mut connection = self.connection(doing).await?;
        let credential: Option<(i64,)> = fetch_optional!(
            connection,
            doing,
            "SELECT created_us FROM credentials WHERE server = $1 AND revoked_us IS NULL",
            server,
        )?;
        let (tokens,): (i64,) = fetch_one!(
            connection,
            doing,
            "SELECT COUNT(*) FROM join_tokens WHERE server = $1 AND used_us IS NULL AND expires_us > $2",
            server,
            now_us,
        )?;
        Ok(CredentialStatusRow {
            joined_us: credential.map(|(created_us,)| created_us),
            usable_join_tokens: unsigned(tokens, "count of join tokens")?,
        })
    }

    /// Revokes a server's credential and the join tokens made for it; `false` if it had no credential.
    pub(crate) async fn revoke_server_credential_and_join_tokens(
        &self,
        server: &str,
        context: &TimeAndActor<'_>,
    ) -> Result<bool, StoreError> {
        let doing = "revoking a credential";
        let mut transaction = self.begin(doing).await?;
        let revoked = revoke_credential_and_join_tokens(&mut transaction, server, context.at_us).await?;
        if revoked {
            audit::insert_audit_entry(&mut transaction, context, "revoke-credential", server, "").await?;
            transaction.announce_on_commit(ControlPlaneEvent::AccessChanged {});
        }
        transaction.commit_and_announce_events(doing).await?;
        Ok(revoked)
    }
}
