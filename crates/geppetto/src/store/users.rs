//! People: what each may do, the hash of each one's password, and the one-time links with which they set it.

use std::collections::BTreeMap;

use model::wire::ControlPlaneEvent;

use super::{
    GrantRow, Store, StoreError, TimeAndActor, WriteTransaction, audit, is_taken, query_error,
    tokens::{EVERY, grant_row},
};

/// A link with which a password is set, to be stored.
#[derive(Debug, Clone)]
pub(crate) struct NewPasswordLinkRow<'a> {
    /// Its public part.
    pub(crate) id: &'a str,
    /// SHA-256 of its whole secret, in hexadecimal.
    pub(crate) hash: &'a str,
    /// Until when it is good, in microseconds since 1970-01-01 UTC.
    pub(crate) expires_us: i64,
}

/// A person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct UserRow {
    /// The name to log in with.
    pub(crate) name: String,
    /// What argon2id made of the password, in PHC form; absent until one is set.
    pub(crate) password_hash: Option<String>,
    /// What the person may do.
    pub(crate) grants: Vec<GrantRow>,
    /// Since when, in microseconds since 1970-01-01 UTC.
    pub(crate) created_us: i64,
    /// Who made the account.
    pub(crate) created_by: String,
    /// Since when nobody can log in with it.
    pub(crate) disabled_us: Option<i64>,
}

type UserColumns = (String, Option<String>, i64, String, Option<i64>);

impl Store {
    /// Stores a user and the link with which the password is set; the name must be free.
    pub(crate) async fn insert_user_with_grants_and_password_link(
        &self,
        name: &str,
        grants: &[GrantRow],
        link: &NewPasswordLinkRow<'_>,
        context: &TimeAndActor<'_>,
    ) -> Result<(), StoreError> {
        let doing = "storing a user";
        let mut transaction = self.begin(doing).await?;
        execute_raw!(
            transaction,
            "INSERT INTO users (name, created_us, created_by) VALUES ($1, $2, $3)",
            name,
            context.at_us,
            context.actor,
        )
        .map_err(|error| match is_taken(&error) {
            true => StoreError::UserNameTaken(name.to_owned()),
            false => query_error(doing)(error),
        })?;
        let granted = insert_grants(&mut transaction, name, grants).await?;
        insert_password_link(&mut transaction, name, link, context).await?;
        audit::insert_audit_entry(&mut transaction, context, "create-user", name, &granted).await?;
        transaction.commit_and_announce_events(doing).await
    }

    /// Gives a user other grants; `false` if there is no such user.
    pub(crate) async fn replace_user_grants(
        &self,
        name: &str,
        grants: &[GrantRow],
        context: &TimeAndActor<'_>,
    ) -> Result<bool, StoreError> {
        let doing = "storing grants";
        let mut transaction = self.begin(doing).await?;
        if !user_exists(&mut transaction, name).await? {
            return Ok(false);
        }
        execute!(transaction, doing, "DELETE FROM user_grants WHERE user_name = $1", name)?;
        let granted = insert_grants(&mut transaction, name, grants).await?;
        audit::insert_audit_entry(&mut transaction, context, "grant-user", name, &granted).await?;
        transaction.announce_on_commit(ControlPlaneEvent::AccessChanged {});
        transaction.commit_and_announce_events(doing).await?;
        Ok(true)
    }

    /// Stores a new link for a user, in the place of earlier ones; `false` if there is no such user or it is disabled.
    pub(crate) async fn replace_password_link(
        &self,
        name: &str,
        link: &NewPasswordLinkRow<'_>,
        context: &TimeAndActor<'_>,
    ) -> Result<bool, StoreError> {
        let doing = "storing a password link";
        let mut transaction = self.begin(doing).await?;
        let enabled = execute!(
            transaction,
            doing,
            "UPDATE users SET name = name WHERE name = $1 AND disabled_us IS NULL",
            name,
        )?;
        if enabled == 0 {
            return Ok(false);
        }
        expire_password_links(&mut transaction, name, context.at_us).await?;
        insert_password_link(&mut transaction, name, link, context).await?;
        let detail = format!("id {}", link.id);
        audit::insert_audit_entry(&mut transaction, context, "create-password-link", name, &detail).await?;
        transaction.commit_and_announce_events(doing).await?;
        Ok(true)
    }

    /// The user and the hash of the link with this public part, if it is good at `now_us`.
    pub(crate) async fn read_usable_password_link(
        &self,
        id: &str,
        now_us: i64,
    ) -> Result<Option<(String, String)>, StoreError> {
        let doing = "looking up a password link";
        let mut connection = self.connection(doing).await?;
        fetch_optional!(
            connection,
            doing,
            "SELECT user_name, hash FROM password_links WHERE id = $1 AND used_us IS NULL AND expires_us > $2",
            id,
            now_us,
        )
    }

    /// Uses up a link and sets the password of its user, whose sessions end; `false`, and nothing is changed, if the link
    /// was used up or expired in the meantime.
    pub(crate) async fn set_password_by_link(
        &self,
        link_id: &str,
        name: &str,
        password_hash: &str,
        context: &TimeAndActor<'_>,
    ) -> Result<bool, StoreError> {
        let doing = "setting a password";
        let mut transaction = self.begin(doing).await?;
        let used = execute!(
            transaction,
            doing,
            "UPDATE password_links SET used_us = $1
             WHERE id = $2 AND user_name = $3 AND used_us IS NULL AND expires_us > $1",
            context.at_us,
            link_id,
            name,
        )?;
        let set = execute!(
            transaction,
            doing,
            "UPDATE users SET password_hash = $1 WHERE name = $2 AND disabled_us IS NULL",
            password_hash,
            name,
        )?;
        if used == 0 || set == 0 {
            return Ok(false);
        }
        execute!(transaction, doing, "DELETE FROM sessions WHERE user_name = $1", name)?;
        let detail = format!("password link {link_id}");
        audit::insert_audit_entry(&mut transaction, context, "set-password", name, &detail).await?;
        transaction.announce_on_commit(ControlPlaneEvent::AccessChanged {});
        transaction.commit_and_announce_events(doing).await?;
        Ok(true)
    }

    /// Keeps anybody from logging in as this user, ends the user's sessions and spoils the links; `false` if there is no
    /// such user, or it is disabled already.
    pub(crate) async fn disable_user(
        &self,
        name: &str,
        context: &TimeAndActor<'_>,
    ) -> Result<bool, StoreError> {
        let doing = "disabling a user";
        let mut transaction = self.begin(doing).await?;
        let disabled = execute!(
            transaction,
            doing,
            "UPDATE users SET disabled_us = $1 WHERE name = $2 AND disabled_us IS NULL",
            context.at_us,
            name,
        )?;
        if disabled == 0 {
            return Ok(false);
        }
        execute!(transaction, doing, "DELETE FROM sessions WHERE user_name = $1", name)?;
        expire_password_links(&mut transaction, name, context.at_us).await?;
        audit::insert_audit_entry(&mut transaction, context, "disable-user", name, "").await?;
        transaction.announce_on_commit(ControlPlaneEvent::AccessChanged {});
        transaction.commit_and_announce_events(doing).await?;
        Ok(true)
    }

    /// The user of this name, disabled or not.
    pub(crate) async fn read_user(&self, name: &str) -> Result<Option<UserRow>, StoreError> {
        let doing = "looking up a user";
        let mut connection = self.connection(doing).await?;
        let row: Option<UserColumns> = fetch_optional!(
            connection,
            doing,
            "SELECT name, password_hash, created_us, created_by, disabled_us FROM users WHERE name = $1",
            name,
        )?;
        let Some(row) = row else { return Ok(None) };
        let granted: Vec<(String, String, String)> = fetch_all!(
            connection,
            doing,
            "SELECT access_level, environment, component FROM user_grants WHERE user_name = $1
             ORDER BY access_level, environment, component",
            name,
        )?;
        Ok(Some(user_row(row, granted.into_iter().map(grant_row).collect())))
    }

    /// All users, by name.
    pub(crate) async fn read_all_users(&self) -> Result<Vec<UserRow>, StoreError> {
        let doing = "reading the users";
        let mut connection = self.connection(doing).await?;
        let rows: Vec<UserColumns> = fetch_all!(
            connection,
            doing,
            "SELECT name, password_hash, created_us, created_by, disabled_us FROM users ORDER BY name",
        )?;
        let granted: Vec<(String, String, String, String)> = fetch_all!(
            connection,
            doing,
            "SELECT user_name, access_level, environment, component FROM user_grants
             ORDER BY access_level, environment, component",
        )?;
        let mut grants: BTreeMap<String, Vec<GrantRow>> = BTreeMap::new();
        for (user, access_level, environment, component) in granted {
            grants.entry(user).or_default().push(grant_row((access_level, environment, component)));
        }
        let with_grants = |row: UserColumns| {
            let grants = grants.remove(&row.0).unwrap_or_default();
            user_row(row, grants)
        };
        Ok(rows.into_iter().map(with_grants).collect())
    }
}

fn user_row(
    (name, password_hash, created_us, created_by, disabled_us): UserColumns,
    grants: Vec<GrantRow>,
) -> UserRow {
    UserRow { name, password_hash, grants, created_us, created_by, disabled_us }
}

async fn user_exists(transaction: &mut WriteTransaction, name: &str) -> Result<bool, StoreError> {
    let row: Option<(String,)> =
        fetch_optional!(transaction, "looking up a user", "SELECT name FROM users WHERE name = $1", name)?;
    Ok(row.is_some())
}

/// Stores grants; returns how the audit log names them.
async fn insert_grants(
    transaction: &mut WriteTransaction,
    name: &str,
    grants: &[GrantRow],
) -> Result<String, StoreError> {
    let mut granted = Vec::new();
    for grant in grants {
        let environment = grant.environment.as_deref().unwrap_or(EVERY);
        let component = grant.component.as_deref().unwrap_or(EVERY);
        execute!(
            transaction,
            "storing grants",
            "INSERT INTO user_grants (user_name, access_level, environment, component) VALUES ($1, $2, $3, $4)
             ON CONFLICT DO NOTHING",
            name,
            &grant.access_level,
            environment,
            component,
        )?;
        granted.push(format!("{} on {environment}/{component}", grant.access_level));
    }
    Ok(granted.join(", "))
}

async fn insert_password_link(
    transaction: &mut WriteTransaction,
    name: &str,
    link: &NewPasswordLinkRow<'_>,
    context: &TimeAndActor<'_>,
) -> Result<(), StoreError> {
    execute!(
        transaction,
        "storing a password link",
        "INSERT INTO password_links (id, user_name, hash, created_us, created_by, expires_us)
         VALUES ($1, $2, $3, $4, $5, $6)",
        link.id,
        name,
        link.hash,
        context.at_us,
        context.actor,
        link.expires_us,
    )
    .map(drop)
}

async fn expire_password_links(
    transaction: &mut WriteTransaction,
    name: &str,
    at_us: i64,
) -> Result<(), StoreError> {
    execute!(
        transaction,
        "spoiling password links",
        "UPDATE password_links SET expires_us = $1 WHERE user_name = $2 AND used_us IS NULL AND expires_us > $1",
        at_us,
        name,
    )
    .map(drop)
}
