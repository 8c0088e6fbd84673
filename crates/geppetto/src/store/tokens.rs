//! API tokens. The database holds their hashes; the tokens themselves are shown once and kept nowhere.

use super::{AuditContext, Store, StoreError, audit, query_error};

/// A token to be stored.
#[derive(Debug, Clone)]
pub struct NewTokenRow<'a> {
    /// Its public part.
    pub id: &'a str,
    /// Whose it is: `ci`.
    pub name: &'a str,
    /// `viewer`, `developer`, `operator` or `admin`.
    pub role: &'a str,
    /// SHA-256 of the whole token, in hexadecimal.
    pub hash: &'a str,
    /// Until when it is good, in microseconds since 1970-01-01 UTC.
    pub expires_us: Option<i64>,
}

/// A token that is good.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct StoredToken {
    /// Whose it is.
    pub name: String,
    /// Its role.
    pub role: String,
    /// SHA-256 of the whole token, in hexadecimal.
    pub hash: String,
}

/// A token as lists show it.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct TokenRow {
    /// Its public part.
    pub id: String,
    /// Whose it is.
    pub name: String,
    /// Its role.
    pub role: String,
    /// When it was made, in microseconds since 1970-01-01 UTC.
    pub created_us: i64,
    /// Who made it.
    pub created_by: String,
    /// Until when it is good.
    pub expires_us: Option<i64>,
    /// Since when it is revoked.
    pub revoked_us: Option<i64>,
}

impl Store {
    /// Stores a token; its name must be free.
    pub async fn create_token(
        &self,
        token: &NewTokenRow<'_>,
        deed: &AuditContext<'_>,
    ) -> Result<(), StoreError> {
        let doing = "storing a token";
        let mut transaction = self.begin(doing).await?;
        // An expired token does not hold on to its name.
        sqlx::query(
            "UPDATE tokens SET revoked_us = $1 WHERE name = $2 AND revoked_us IS NULL AND expires_us <= $1",
        )
        .bind(deed.at_us)
        .bind(token.name)
        .execute(&mut *transaction)
        .await
        .map_err(query_error(doing))?;
        sqlx::query(
            "INSERT INTO tokens (id, name, role, hash, created_us, created_by, expires_us)
             VALUES ($1, $2, $3, $4, $5, $6, $7)",
        )
        .bind(token.id)
        .bind(token.name)
        .bind(token.role)
        .bind(token.hash)
        .bind(deed.at_us)
        .bind(deed.actor)
        .bind(token.expires_us)
        .execute(&mut *transaction)
        .await
        .map_err(|source| match source.as_database_error() {
            Some(error) if error.is_unique_violation() => StoreError::NameTaken(token.name.to_owned()),
            _ => StoreError::Query { doing, source },
        })?;
        let detail = format!("role {}, id {}", token.role, token.id);
        audit::record(&mut transaction, deed, "create-token", token.name, &detail).await?;
        transaction.commit().await.map_err(query_error(doing))
    }

    /// The token with this public part, if it is good at `now_us`.
    pub async fn token(&self, id: &str, now_us: i64) -> Result<Option<StoredToken>, StoreError> {
        sqlx::query_as(
            "SELECT name, role, hash FROM tokens
             WHERE id = $1 AND revoked_us IS NULL AND (expires_us IS NULL OR expires_us > $2)",
        )
        .bind(id)
        .bind(now_us)
        .fetch_optional(&self.pool)
        .await
        .map_err(query_error("looking up a token"))
    }

    /// All tokens ever made, newest first.
    pub async fn tokens(&self) -> Result<Vec<TokenRow>, StoreError> {
        sqlx::query_as(
            "SELECT id, name, role, created_us, created_by, expires_us, revoked_us FROM tokens
             ORDER BY created_us DESC, name",
        )
        .fetch_all(&self.pool)
        .await
        .map_err(query_error("reading the tokens"))
    }

    /// Revokes the token of this name; `false` if there is none.
    pub async fn revoke_token(&self, name: &str, deed: &AuditContext<'_>) -> Result<bool, StoreError> {
        let doing = "revoking a token";
        let mut transaction = self.begin(doing).await?;
        let done = sqlx::query("UPDATE tokens SET revoked_us = $1 WHERE name = $2 AND revoked_us IS NULL")
            .bind(deed.at_us)
            .bind(name)
            .execute(&mut *transaction)
            .await
            .map_err(query_error(doing))?
            .rows_affected();
        if done == 0 {
            return Ok(false);
        }
        audit::record(&mut transaction, deed, "revoke-token", name, "").await?;
        transaction.commit().await.map_err(query_error(doing))?;
        Ok(true)
    }
}
