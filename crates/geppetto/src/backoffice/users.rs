//! People: accounts, their grants, and the links with which they set a password.

use model::wire;
use rand::rngs::OsRng;

use super::{BackOffice, BackOfficeError, access};
use crate::{
    auth::{
        AccessLevel, Admin, BearerSecretKind, Grant, PresentedBearerSecret, Principal, UnscopedPermit,
        generate_bearer_secret, hash_password, weak_password_reason,
    },
    store::{GrantRow, NewPasswordLinkRow, StoreError, UserRow},
};

/// The most grants a user can have.
const MAX_GRANTS: usize = 100;
/// How long a password link is good, in microseconds: a day.
const LINK_GOOD_FOR_US: i64 = 86_400_000_000;
/// The user of the first start.
const FIRST_USER: &str = "admin";

impl BackOffice {
    /// Creates a user, who sets a password with the link.
    pub(crate) async fn create_user(
        &self,
        permit: &UnscopedPermit<Admin>,
        request: &wire::UserRequest,
        control_plane_url: &str,
    ) -> Result<wire::IssuedPasswordLink, BackOfficeError> {
        permit.require_grant_everywhere()?;
        let readable = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "-_.@+".contains(c);
        if request.name.is_empty() || request.name.len() > 63 || !request.name.chars().all(readable) {
            return Err(BackOfficeError::Refused(
                "a user's name has 1 to 63 lower-case letters, digits and `-_.@+`: it is what the person logs in with"
                    .to_owned(),
            ));
        }
        let grants = parse_grants(&request.grants)?;
        self.insert_user_with_link(&request.name, &grants, control_plane_url, &permit.audit_actor()).await
    }

    /// Whether no user has a password yet. On a control plane without users the first one is created, who may do
    /// everything once somebody has set the password.
    pub(crate) async fn create_first_user_and_check_nobody_can_log_in(
        &self,
    ) -> Result<bool, BackOfficeError> {
        let users = self.store.read_all_users().await?;
        if users.is_empty() {
            let grants = [access::grant_to_row(&Grant::grant_everywhere(AccessLevel::Admin))];
            let actor = Principal::CONTROL_PLANE_ITSELF.audit_actor();
            match self.insert_user_with_link(FIRST_USER, &grants, "", &actor).await {
                // Another control plane of the same database was faster.
                Ok(_) | Err(BackOfficeError::Store(StoreError::UserNameTaken(_))) => (),
                Err(error) => return Err(error),
            }
        }
        Ok(users.iter().all(|user| user.password_hash.is_none()))
    }

    /// A new link for the first user.
    pub(crate) async fn create_password_link_of_first_user(
        &self,
        control_plane_url: &str,
    ) -> Result<wire::IssuedPasswordLink, BackOfficeError> {
        self.replace_link(FIRST_USER, control_plane_url, &Principal::CONTROL_PLANE_ITSELF.audit_actor()).await
    }

    /// Creates a new link for a user, in the place of earlier ones.
    pub(crate) async fn create_password_link(
        &self,
        permit: &UnscopedPermit<Admin>,
        name: &str,
        control_plane_url: &str,
    ) -> Result<wire::IssuedPasswordLink, BackOfficeError> {
        permit.require_grant_everywhere()?;
        self.replace_link(name, control_plane_url, &permit.audit_actor()).await
    }

    /// Gives a user these grants, and no others.
    pub(crate) async fn replace_user_grants(
        &self,
        permit: &UnscopedPermit<Admin>,
        name: &str,
        request: &wire::UserGrantsRequest,
    ) -> Result<(), BackOfficeError> {
        permit.require_grant_everywhere()?;
        let grants = parse_grants(&request.grants)?;
        let actor = permit.audit_actor();
        match self.store.replace_user_grants(name, &grants, &self.audit_context(&actor)).await? {
            true => Ok(()),
            false => Err(self.unknown_user_error(name).await?),
        }
    }

    /// Keeps anybody from logging in as this user, at once.
    pub(crate) async fn disable_user(
        &self,
        permit: &UnscopedPermit<Admin>,
        name: &str,
    ) -> Result<(), BackOfficeError> {
        permit.require_grant_everywhere()?;
        match self.store.disable_user(name, &self.audit_context(&permit.audit_actor())).await? {
            true => Ok(()),
            false => Err(self.unknown_user_error(name).await?),
        }
    }

    /// All users, by name.
    pub(crate) async fn list_all_users(
        &self,
        permit: &UnscopedPermit<Admin>,
    ) -> Result<wire::UserList, BackOfficeError> {
        permit.require_grant_everywhere()?;
        let mut items = Vec::new();
        for user in self.store.read_all_users().await? {
            let state = match (&user.password_hash, user.disabled_us) {
                (_, Some(_)) => "disabled",
                (Some(_), None) => "active",
                (None, None) => "invited",
            };
            items.push(wire::UserSummary {
                grants: user.grants.iter().map(access::grant_text_from_row).collect::<Result<_, _>>()?,
                state: state.to_owned(),
                name: user.name,
                created_us: user.created_us,
                created_by: user.created_by,
            });
        }
        Ok(wire::UserList { items })
    }

    /// Whose password a link sets; nothing when it is not good, or not any more.
    pub(crate) async fn find_user_of_password_link(
        &self,
        secret: &str,
    ) -> Result<Option<String>, BackOfficeError> {
        Ok(self.usable_password_link(secret).await?.map(|(_, user)| user))
    }

    /// Sets the password of a link's user and ends the user's sessions; returns the user. Refused with the reason when the
    /// password is too weak; nothing when the link is not good, or not any more.
    pub(crate) async fn set_password_by_link(
        &self,
        secret: &str,
        password: &str,
    ) -> Result<Option<String>, BackOfficeError> {
        let Some((id, user)) = self.usable_password_link(secret).await? else { return Ok(None) };
        if let Some(because) = weak_password_reason(password, &user) {
            return Err(BackOfficeError::Refused(format!("this password is too easy to guess: {because}")));
        }
        let password = password.to_owned();
        let hash = self.password_work.run(move || hash_password(&password)).await?;
        let hash = hash.map_err(BackOfficeError::Broken)?;
        let actor = format!("user {user}");
        let set = self.store.set_password_by_link(&id, &user, &hash, &self.audit_context(&actor)).await?;
        Ok(set.then_some(user))
    }

    async fn usable_password_link(&self, secret: &str) -> Result<Option<(String, String)>, BackOfficeError> {
        let presented = PresentedBearerSecret::parse_presented_secret(secret);
        let Some(presented) = presented.filter(|it| it.kind == BearerSecretKind::PasswordLink) else {
            return Ok(None);
        };
        let link = self.store.read_usable_password_link(&presented.id, self.clock.now_us()).await?;
        let link = link.filter(|(_, hash)| presented.matches_hash(hash));
        Ok(link.map(|(user, _)| (presented.id, user)))
    }

    async fn insert_user_with_link(
        &self,
        name: &str,
        grants: &[GrantRow],
        control_plane_url: &str,
        actor: &str,
    ) -> Result<wire::IssuedPasswordLink, BackOfficeError> {
        let context = self.audit_context(actor);
        let generated = generate_bearer_secret(BearerSecretKind::PasswordLink, &mut OsRng);
        let expires_us = context.at_us.saturating_add(LINK_GOOD_FOR_US);
        let link = NewPasswordLinkRow { id: &generated.id, hash: &generated.hash, expires_us };
        self.store.insert_user_with_grants_and_password_link(name, grants, &link, &context).await?;
        Ok(issued_link(name, control_plane_url, &generated.text, expires_us))
    }

    async fn replace_link(
        &self,
        name: &str,
        control_plane_url: &str,
        actor: &str,
    ) -> Result<wire::IssuedPasswordLink, BackOfficeError> {
        let context = self.audit_context(actor);
        let generated = generate_bearer_secret(BearerSecretKind::PasswordLink, &mut OsRng);
        let expires_us = context.at_us.saturating_add(LINK_GOOD_FOR_US);
        let link = NewPasswordLinkRow { id: &generated.id, hash: &generated.hash, expires_us };
        match self.store.replace_password_link(name, &link, &context).await? {
            true => Ok(issued_link(name, control_plane_url, &generated.text, expires_us)),
            false => Err(self.unknown_user_error(name).await?),
        }
    }

    async fn unknown_user_error(&self, name: &str) -> Result<BackOfficeError, BackOfficeError> {
        let users = self.store.read_all_users().await?;
        let disabled = |user: &UserRow| user.name == name && user.disabled_us.is_some();
        if users.iter().any(disabled) {
            return Ok(BackOfficeError::Absent(format!(
                "the user `{name}` is disabled; `punch user list` shows it, and somebody who comes back gets another name"
            )));
        }
        let names = users.iter().filter(|user| user.disabled_us.is_none()).map(|user| user.name.as_str());
        Ok(BackOfficeError::unknown_name_error("user", name, names, "`punch user list` lists them"))
    }
}

fn issued_link(
    user: &str,
    control_plane_url: &str,
    secret: &str,
    expires_us: i64,
) -> wire::IssuedPasswordLink {
    let url = format!("{}/password/{secret}", control_plane_url.trim_end_matches('/'));
    wire::IssuedPasswordLink { user: user.to_owned(), url, expires_us }
}

fn parse_grants(grants: &[String]) -> Result<Vec<GrantRow>, BackOfficeError> {
    if grants.is_empty() || grants.len() > MAX_GRANTS {
        return Err(BackOfficeError::Refused(format!(
            "a user has 1 to {MAX_GRANTS} grants, not {}: `viewer` is the least",
            grants.len()
        )));
    }
    let parsed: Result<Vec<Grant>, _> = grants.iter().map(|grant| grant.parse()).collect();
    let parsed =
        parsed.map_err(|error: crate::auth::InvalidGrantText| BackOfficeError::Refused(error.to_string()))?;
    Ok(parsed.iter().map(access::grant_to_row).collect())
}
