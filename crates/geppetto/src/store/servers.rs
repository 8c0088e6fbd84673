//! How servers get in: one-time join tokens, and the credential each gets for one.

use sqlx::{Sqlite, Transaction};

use super::{AuditContext, Store, StoreError, audit, query_error};

/// A join token to be stored.
#[derive(Debug, Clone)]
pub struct JoinTokenRow<'a> {
    /// Its public part.
    pub id: &'a str,
    /// The server that may join.
    pub server: &'a str,
    /// SHA-256 of the whole token, in hexadecimal.
    pub hash: &'a str,
    /// Until when it is good, in microseconds since 1970-01-01 UTC.
    pub expires_us: i64,
}

/// Revokes a server's credential and the join tokens made for it; whether it had a credential.
pub(super) async fn revoke(
    transaction: &mut Transaction<'static, Sqlite>,
    server: &str,
    at_us: i64,
) -> Result<bool, StoreError> {
    let doing = "revoking a credential";
    sqlx::query("UPDATE join_tokens SET expires_us = $1 WHERE server = $2 AND expires_us > $1")
        .bind(at_us)
        .bind(server)
        .execute(&mut **transaction)
        .await
        .map_err(query_error(doing))?;
    let revoked =
        sqlx::query("UPDATE credentials SET revoked_us = $1 WHERE server = $2 AND revoked_us IS NULL")
            .bind(at_us)
            .bind(server)
            .execute(&mut **transaction)
            .await
            .map_err(query_error(doing))?
            .rows_affected();
    Ok(revoked > 0)
}

impl Store {
    /// Stores a join token.
    pub async fn create_join_token(
        &self,
        token: &JoinTokenRow<'_>,
        deed: &AuditContext<'_>,
    ) -> Result<(), StoreError> {
        let doing = "storing a join token";
        let mut transaction = self.begin(doing).await?;
        sqlx::query(
            "INSERT INTO join_tokens (id, server, hash, created_us, created_by, expires_us)
             VALUES ($1, $2, $3, $4, $5, $6)",
        )
        .bind(token.id)
        .bind(token.server)
        .bind(token.hash)
        .bind(deed.at_us)
        .bind(deed.actor)
        .bind(token.expires_us)
        .execute(&mut *transaction)
        .await
        .map_err(query_error(doing))?;
        let detail = format!("id {}", token.id);
        audit::record(&mut transaction, deed, "create-join-token", token.server, &detail).await?;
        transaction.commit().await.map_err(query_error(doing))
    }

    /// The hash of the join token with this public part, if it is for `server` and good at `now_us`.
    pub async fn join_token(
        &self,
        id: &str,
        server: &str,
        now_us: i64,
    ) -> Result<Option<String>, StoreError> {
        let row: Option<(String,)> = sqlx::query_as(
            "SELECT hash FROM join_tokens
             WHERE id = $1 AND server = $2 AND used_us IS NULL AND expires_us > $3",
        )
        .bind(id)
        .bind(server)
        .bind(now_us)
        .fetch_optional(&self.pool)
        .await
        .map_err(query_error("looking up a join token"))?;
        Ok(row.map(|(hash,)| hash))
    }

    /// Uses up the join token and gives the server its credential, revoking an earlier one.
    ///
    /// `false`, and nothing is changed, if the token was used up or expired in the meantime: of two who
    /// show the same token at the same moment, one gets in.
    pub async fn join(
        &self,
        join_token_id: &str,
        server: &str,
        credential_id: &str,
        credential_hash: &str,
        deed: &AuditContext<'_>,
    ) -> Result<bool, StoreError> {
        let doing = "letting a server join";
        let mut transaction = self.begin(doing).await?;
        let used = sqlx::query(
            "UPDATE join_tokens SET used_us = $1
             WHERE id = $2 AND server = $3 AND used_us IS NULL AND expires_us > $1",
        )
        .bind(deed.at_us)
        .bind(join_token_id)
        .bind(server)
        .execute(&mut *transaction)
        .await
        .map_err(query_error(doing))?
        .rows_affected();
        if used == 0 {
            return Ok(false);
        }
        sqlx::query("UPDATE credentials SET revoked_us = $1 WHERE server = $2 AND revoked_us IS NULL")
            .bind(deed.at_us)
            .bind(server)
            .execute(&mut *transaction)
            .await
            .map_err(query_error(doing))?;
        sqlx::query("INSERT INTO credentials (id, server, hash, created_us) VALUES ($1, $2, $3, $4)")
            .bind(credential_id)
            .bind(server)
            .bind(credential_hash)
            .bind(deed.at_us)
            .execute(&mut *transaction)
            .await
            .map_err(query_error(doing))?;
        let detail = format!("join token {join_token_id}, credential {credential_id}");
        audit::record(&mut transaction, deed, "join", server, &detail).await?;
        transaction.commit().await.map_err(query_error(doing))?;
        Ok(true)
    }

    /// The server and hash of the credential with this public part, unless it is revoked.
    pub async fn credential(&self, id: &str) -> Result<Option<(String, String)>, StoreError> {
        sqlx::query_as("SELECT server, hash FROM credentials WHERE id = $1 AND revoked_us IS NULL")
            .bind(id)
            .fetch_optional(&self.pool)
            .await
            .map_err(query_error("looking up a credential"))
    }

    /// Revokes a server's credential and the join tokens made for it; `false` if it had no credential.
    pub async fn revoke_credential(&self, server: &str, deed: &AuditContext<'_>) -> Result<bool, StoreError> {
        let doing = "revoking a credential";
        let mut transaction = self.begin(doing).await?;
        let revoked = revoke(&mut transaction, server, deed.at_us).await?;
        if revoked {
            audit::record(&mut transaction, deed, "revoke-credential", server, "").await?;
        }
        transaction.commit().await.map_err(query_error(doing))?;
        Ok(revoked)
    }
}
