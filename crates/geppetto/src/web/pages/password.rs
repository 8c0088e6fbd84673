//! `/password/SECRET`: a person sets a password, with a link that is good once.

use askama::Template;
use axum::{
    extract::{Path, State},
    http::StatusCode,
    response::{Html, IntoResponse, Redirect, Response},
};
use serde::Deserialize;

use crate::{
    backoffice::BackOfficeError,
    web::{form::OpenForm, page_error::PageError, page_state::PageState},
};

#[derive(Template)]
#[template(path = "pages/password.html")]
struct PasswordTemplate<'a> {
    title: &'a str,
    user: &'a str,
    fault: &'a str,
    version: &'static str,
}

/// The fields of the form.
#[derive(Debug, Deserialize)]
pub(super) struct PasswordFields {
    password: String,
    again: String,
}

/// Shows the form, if the link is good.
pub(super) async fn show_password_form(
    State(state): State<PageState>,
    Path(secret): Path<String>,
) -> Result<Html<String>, PageError> {
    let user = state.back_office.find_user_of_password_link(&secret).await?;
    render(&user.ok_or_else(spoiled_link)?, "")
}

/// Sets the password and ends all sessions of the person.
pub(super) async fn set_password(
    State(state): State<PageState>,
    Path(secret): Path<String>,
    OpenForm(fields): OpenForm<PasswordFields>,
) -> Result<Response, PageError> {
    let user = state.back_office.find_user_of_password_link(&secret).await?.ok_or_else(spoiled_link)?;
    if fields.password != fields.again {
        let page = render(&user, "The two passwords are not the same.")?;
        return Ok((StatusCode::UNPROCESSABLE_ENTITY, page).into_response());
    }
    match state.back_office.set_password_by_link(&secret, &fields.password).await {
        Ok(Some(_)) => Ok(Redirect::to("/log-in").into_response()),
        Ok(None) => Err(spoiled_link()),
        Err(BackOfficeError::Refused(because)) => {
            Ok((StatusCode::UNPROCESSABLE_ENTITY, render(&user, &format!("{because}."))?).into_response())
        }
        Err(error) => Err(error.into()),
    }
}

fn render(user: &str, fault: &str) -> Result<Html<String>, PageError> {
    let page =
        PasswordTemplate { title: "Set your password", user, fault, version: env!("CARGO_PKG_VERSION") };
    Ok(Html(page.render()?))
}

fn spoiled_link() -> PageError {
    PageError::new(
        StatusCode::NOT_FOUND,
        "This link is not good, or not any more",
        "A link sets a password once, within a day, and a newer one replaces it. An administrator makes a new one: \
         `punch user password-link NAME`.",
    )
}
