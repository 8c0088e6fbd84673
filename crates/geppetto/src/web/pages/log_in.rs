//! `/log-in`, `/log-out`: a session begins and ends.

use askama::Template;
use axum::{
    Extension,
    extract::{Query, State},
    http::{StatusCode, header},
    response::{Html, IntoResponse, Redirect, Response},
};
use serde::Deserialize;

use crate::{
    backoffice::LogInOutcome,
    connections::TcpPeer,
    web::{
        form::{OpenForm, VisitorForm},
        page_error::PageError,
        page_state::PageState,
        session_cookie,
    },
};

#[derive(Template)]
#[template(path = "pages/log_in.html")]
struct LogInTemplate<'a> {
    title: &'a str,
    /// Why the last attempt failed.
    fault: &'a str,
    name: &'a str,
    /// Where to go afterwards.
    next: &'a str,
    version: &'static str,
}

/// Where to go afterwards.
#[derive(Debug, Deserialize)]
pub(super) struct NextQuery {
    #[serde(default)]
    next: String,
}

/// The fields of the form.
#[derive(Debug, Deserialize)]
pub(super) struct LogInFields {
    name: String,
    password: String,
    #[serde(default)]
    next: String,
}

/// Shows the form.
pub(super) async fn show_log_in_form(Query(query): Query<NextQuery>) -> Result<Html<String>, PageError> {
    render("", "", own_address_or_overview(&query.next))
}

/// Begins a session.
pub(super) async fn log_in(
    State(state): State<PageState>,
    peer: Option<Extension<TcpPeer>>,
    OpenForm(fields): OpenForm<LogInFields>,
) -> Result<Response, PageError> {
    let address = peer.map_or_else(|| "this machine".to_owned(), |Extension(peer)| peer.address.to_string());
    let name = fields.name.trim();
    let next = own_address_or_overview(&fields.next);
    let refused = |status: StatusCode, fault: &str| Ok((status, render(fault, name, next)?).into_response());
    match state.back_office.log_in(name, &fields.password, &address).await? {
        LogInOutcome::LoggedIn(secret) => {
            let cookie = session_cookie::set_session_cookie(&secret, state.is_reached_by_tls());
            let cookie = cookie.ok_or_else(PageError::no_such_page)?;
            Ok(([(header::SET_COOKIE, cookie)], Redirect::to(next)).into_response())
        }
        LogInOutcome::WrongNameOrPassword => refused(
            StatusCode::UNPROCESSABLE_ENTITY,
            "There is no user of this name with this password. Who forgot it asks an administrator for a new link \
             (`punch user password-link NAME`).",
        ),
        LogInOutcome::TooManyAttempts => refused(
            StatusCode::TOO_MANY_REQUESTS,
            "Too many attempts with this name wait already. Try again in a minute.",
        ),
    }
}

/// Ends the session of this browser.
pub(super) async fn log_out(
    State(state): State<PageState>,
    VisitorForm { visitor, .. }: VisitorForm<NoFields>,
) -> Result<Response, PageError> {
    state.back_office.end_own_session(&visitor.user, &visitor.user.session_id).await?;
    let cookie = session_cookie::clear_session_cookie(state.is_reached_by_tls());
    Ok(([(header::SET_COOKIE, cookie)], Redirect::to("/log-in")).into_response())
}

/// A form that has nothing but its token.
#[derive(Debug, Deserialize)]
pub(super) struct NoFields {}

fn render(fault: &str, name: &str, next: &str) -> Result<Html<String>, PageError> {
    let page = LogInTemplate { title: "Log in", fault, name, next, version: env!("CARGO_PKG_VERSION") };
    Ok(Html(page.render()?))
}

/// An address of ours; whatever leads to another site leads to the overview.
fn own_address_or_overview(next: &str) -> &str {
    let is_own = next.starts_with('/')
        && !next.starts_with("//")
        && !next.contains(['\\', '\r', '\n', '\t'])
        && next.bytes().all(|byte| byte.is_ascii_graphic());
    if is_own { next } else { "/" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn log_in_leads_to_no_other_site() {
        assert_eq!(own_address_or_overview("/servers?state=failed"), "/servers?state=failed");
        for next in ["", "https://evil", "//evil", "/\\evil", "/a\nb", "/é", "javascript:x"] {
            assert_eq!(own_address_or_overview(next), "/", "{next}");
        }
    }
}
