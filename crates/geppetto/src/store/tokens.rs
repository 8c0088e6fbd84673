//! API tokens. The database holds their hashes; the tokens themselves are shown once and kept nowhere.

use std::collections::BTreeMap;

use model::wire::ControlPlaneEvent;

use super::{Store, StoreError, TimeAndActor, audit, is_taken, query_error};

/// What a token may do, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct GrantRow {
    /// `viewer`, `developer`, `operator` or `admin`.
    pub(crate) access_level: String,
    /// The environment; every one if absent.
    pub(crate) environment: Option<String>,
    /// The component; every one if absent.
    pub(crate) component: Option<String>,
}

/// A token to be stored.
#[derive(Debug, Clone)]
pub(crate) struct NewTokenRow<'a> {
    /// Its public part.
    pub(crate) id: &'a str,
    /// Whose it is: `ci`.
    pub(crate) name: &'a str,
    /// What it may do.
    pub(crate) grants: &'a [GrantRow],
    /// SHA-256 of the whole token, in hexadecimal.
    pub(crate) hash: &'a str,
    /// Until when it is good, in microseconds since 1970-01-01 UTC.
    pub(crate) expires_us: Option<i64>,
}

/// A token that is good.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ValidTokenRow {
    /// Whose it is.
    pub(crate) name: String,
    /// What it may do.
    pub(crate) grants: Vec<GrantRow>,
    /// SHA-256 of the whole token, in hexadecimal.
    pub(crate) hash: String,
}

/// A token as lists show it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ListedTokenRow {
    /// Its public part.
    pub(crate) id: String,
    /// Whose it is.
    pub(crate) name: String,
    /// What it may do.
    pub(crate) grants: Vec<GrantRow>,
    /// When it was made, in microseconds since 1970-01-01 UTC.
    pub(crate) created_us: i64,
    /// Who made it.
    pub(crate) created_by: String,
    /// Until when it is good.
    pub(crate) expires_us: Option<i64>,
    /// Since when it is revoked.
    pub(crate) revoked_us: Option<i64>,
}

/// In a column: every environment, or every component.
pub(super) const EVERY: &str = "*";

type GrantColumns = (String, String, String);
type TokenColumns = (String, String, i64, String, Option<i64>, Option<i64>);

pub(super) fn grant_row((access_level, environment, component): GrantColumns) -> GrantRow {
    let named = |column: String| (column != EVERY).then_some(column);
    GrantRow { access_level, environment: named(environment), component: named(component) }
}

impl Store {
    /// Stores a token; its name must be free.
    pub(crate) async fn insert_token_and_grants(
        &self,
        token: &NewTokenRow<'_>,
        context: &TimeAndActor<'_>,
    ) -> Result<(), StoreError> {
        let doing = "storing a token";
        let mut transaction = self.begin(doing).await?;
        // An expired token does not hold on to its name.
        execute!(
            transaction,
            doing,
            "UPDATE tokens SET revoked_us = $1 WHERE name = $2 AND revoked_us IS NULL AND expires_us <= $1",
            context.at_us,
            token.name,
        )?;
        execute_raw!(
            transaction,
            "INSERT INTO tokens (id, name, hash, created_us, created_by, expires_us)
             VALUES ($1, $2, $3, $4, $5, $6)",
            token.id,
            token.name,
            token.hash,
            context.at_us,
            context.actor,
            token.expires_us,
        )
        .map_err(|error| match is_taken(&error) {
            true => StoreError::NameTaken(token.name.to_owned()),
            false => query_error(doing)(error),
        })?;
        let mut detail = format!("id {}", token.id);
        for grant in token.grants {
            let environment = grant.environment.as_deref().unwrap_or(EVERY);
            let component = grant.component.as_deref().unwrap_or(EVERY);
            execute!(
                transaction,
                doing,
                "INSERT INTO grants (token, access_level, environment, component) VALUES ($1, $2, $3, $4)
                 ON CONFLICT DO NOTHING",
                token.id,
                &grant.access_level,
                environment,
                component,
            )?;
            detail.push_str(&format!(", {} on {environment}/{component}", grant.access_level));
        }
        audit::insert_audit_entry(&mut transaction, context, "create-token", token.name, &detail).await?;
        transaction.commit_and_announce_events(doing).await
    }

    /// The token with this public part, if it is good at `now_us`.
    pub(crate) async fn read_valid_token_by_id(
        &self,
        id: &str,
        now_us: i64,
    ) -> Result<Option<ValidTokenRow>, StoreError> {
        let doing = "looking up a token";
        let mut connection = self.connection(doing).await?;
        let rows: Vec<(String, String, String, String, String)> = fetch_all!(
            connection,
            doing,
            "SELECT name, hash, access_level, environment, component FROM tokens JOIN grants ON token = id
             WHERE id = $1 AND revoked_us IS NULL AND (expires_us IS NULL OR expires_us > $2)",
            id,
            now_us,
        )?;
        let mut found: Option<ValidTokenRow> = None;
        for (name, hash, access_level, environment, component) in rows {
            let token = found.get_or_insert(ValidTokenRow { name, grants: Vec::new(), hash });
            token.grants.push(grant_row((access_level, environment, component)));
        }
        Ok(found)
    }

    /// All tokens ever made, newest first.
    pub(crate) async fn read_all_tokens(&self) -> Result<Vec<ListedTokenRow>, StoreError> {
        let doing = "reading the tokens";
        let mut connection = self.connection(doing).await?;
        let rows: Vec<TokenColumns> = fetch_all!(
            connection,
            doing,
            "SELECT id, name, created_us, created_by, expires_us, revoked_us FROM tokens
             ORDER BY created_us DESC, name",
        )?;
        let granted: Vec<(String, String, String, String)> = fetch_all!(
            connection,
            doing,
            "SELECT token, access_level, environment, component FROM grants
             ORDER BY access_level, environment, component",
        )?;
        let mut grants: BTreeMap<String, Vec<GrantRow>> = BTreeMap::new();
        for (token, access_level, environment, component) in granted {
            grants.entry(token).or_default().push(grant_row((access_level, environment, component)));
        }
        let token = |(id, name, created_us, created_by, expires_us, revoked_us): TokenColumns| {
            let grants = grants.remove(&id).unwrap_or_default();
            ListedTokenRow { id, name, grants, created_us, created_by, expires_us, revoked_us }
        };
        Ok(rows.into_iter().map(token).collect())
    }

    /// Revokes the token of this name; `false` if there is none.
    pub(crate) async fn revoke_token(
        &self,
        name: &str,
        context: &TimeAndActor<'_>,
    ) -> Result<bool, StoreError> {
        let doing = "revoking a token";
        let mut transaction = self.begin(doing).await?;
        let revoked = execute!(
            transaction,
            doing,
            "UPDATE tokens SET revoked_us = $1 WHERE name = $2 AND revoked_us IS NULL",
            context.at_us,
            name,
        )?;
        if revoked == 0 {
            return Ok(false);
        }
        audit::insert_audit_entry(&mut transaction, context, "revoke-token", name, "").await?;
        transaction.announce_on_commit(ControlPlaneEvent::AccessChanged {});
        transaction.commit_and_announce_events(doing).await?;
        Ok(true)
    }
}
