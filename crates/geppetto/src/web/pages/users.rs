//! `/users`: who may log in and do what.

use askama::Template;
use axum::{
    extract::{Path, State},
    response::{Html, Redirect},
};
use model::wire::{IssuedPasswordLink, UserGrantsRequest, UserRequest, UserSummary};
use serde::Deserialize;

use super::log_in::NoFields;
use crate::{
    auth::Admin,
    backoffice::BackOfficeError,
    web::{
        form::VisitorForm,
        frame::Frame,
        page_error::PageError,
        page_state::PageState,
        time_text::{TimeText, time_text},
        visitor::Visitor,
    },
};

struct UserLine {
    user: UserSummary,
    created: TimeText,
    grants: String,
}

#[derive(Template)]
#[template(path = "pages/users.html")]
struct UsersTemplate {
    frame: Frame,
    users: Vec<UserLine>,
    link: Option<(IssuedPasswordLink, TimeText)>,
    fault: String,
    typed_name: String,
    typed_grants: String,
}

/// The fields of the form for a new user.
#[derive(Debug, Deserialize)]
pub(super) struct UserFields {
    name: String,
    grants: String,
}

/// The field of the form for grants: one in each line, or several with blanks between.
#[derive(Debug, Deserialize)]
pub(super) struct GrantFields {
    grants: String,
}

/// Lists the users.
pub(super) async fn list_users(
    State(state): State<PageState>,
    visitor: Visitor,
) -> Result<Html<String>, PageError> {
    render(&state, &visitor, None, None).await
}

/// Creates a user, and shows the link once.
pub(super) async fn create_user(
    State(state): State<PageState>,
    VisitorForm { visitor, fields }: VisitorForm<UserFields>,
) -> Result<Html<String>, PageError> {
    let permit = visitor.require_access_level_somewhere::<Admin>()?;
    let request = UserRequest { name: fields.name.trim().to_owned(), grants: words(&fields.grants) };
    match state.back_office.create_user(&permit, &request, &state.control_plane_url).await {
        Ok(link) => render(&state, &visitor, Some(link), None).await,
        Err(BackOfficeError::Refused(because)) => {
            render(&state, &visitor, None, Some((because, fields))).await
        }
        Err(BackOfficeError::Store(error @ crate::store::StoreError::UserNameTaken(_))) => {
            render(&state, &visitor, None, Some((error.to_string(), fields))).await
        }
        Err(error) => Err(error.into()),
    }
}

/// Gives a user other grants.
pub(super) async fn replace_grants(
    State(state): State<PageState>,
    Path(user): Path<String>,
    VisitorForm { visitor, fields }: VisitorForm<GrantFields>,
) -> Result<Redirect, PageError> {
    let permit = visitor.require_access_level_somewhere::<Admin>()?;
    let request = UserGrantsRequest { grants: words(&fields.grants) };
    state.back_office.replace_user_grants(&permit, &user, &request).await?;
    Ok(Redirect::to("/users"))
}

/// Makes a new link for a user, and shows it once.
pub(super) async fn create_password_link(
    State(state): State<PageState>,
    Path(user): Path<String>,
    VisitorForm { visitor, .. }: VisitorForm<NoFields>,
) -> Result<Html<String>, PageError> {
    let permit = visitor.require_access_level_somewhere::<Admin>()?;
    let link = state.back_office.create_password_link(&permit, &user, &state.control_plane_url).await?;
    render(&state, &visitor, Some(link), None).await
}

/// Keeps anybody from logging in as a user.
pub(super) async fn disable_user(
    State(state): State<PageState>,
    Path(user): Path<String>,
    VisitorForm { visitor, .. }: VisitorForm<NoFields>,
) -> Result<Redirect, PageError> {
    let permit = visitor.require_access_level_somewhere::<Admin>()?;
    state.back_office.disable_user(&permit, &user).await?;
    Ok(Redirect::to("/users"))
}

async fn render(
    state: &PageState,
    visitor: &Visitor,
    link: Option<IssuedPasswordLink>,
    refused: Option<(String, UserFields)>,
) -> Result<Html<String>, PageError> {
    let permit = visitor.require_access_level_somewhere::<Admin>()?;
    let now_us = state.back_office.clock.now_us();
    let users = state.back_office.list_all_users(&permit).await?;
    let line = |user: UserSummary| UserLine {
        created: time_text(user.created_us, now_us),
        grants: user.grants.join(" "),
        user,
    };
    let (fault, typed_name, typed_grants) = match refused {
        Some((because, fields)) => (because, fields.name, fields.grants),
        None => (String::new(), String::new(), "viewer".to_owned()),
    };
    let page = UsersTemplate {
        frame: Frame::new(visitor, "/users", "Users", "punch user list"),
        users: users.items.into_iter().map(line).collect(),
        link: link.map(|link| {
            let until = time_text(link.expires_us, now_us);
            (link, until)
        }),
        fault,
        typed_name,
        typed_grants,
    };
    Ok(Html(page.render()?))
}

fn words(text: &str) -> Vec<String> {
    text.split_whitespace().map(str::to_owned).collect()
}
