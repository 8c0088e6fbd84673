//! `/account`: what I may do, and the browsers that I am logged in with.

use askama::Template;
use axum::{
    extract::{Path, State},
    response::{Html, Redirect},
};

use super::log_in::NoFields;
use crate::{
    auth::Grant,
    web::{
        form::VisitorForm,
        frame::Frame,
        page_error::PageError,
        page_state::PageState,
        time_text::{TimeText, time_text},
        visitor::Visitor,
    },
};

struct SessionLine {
    id: String,
    is_this_one: bool,
    began: TimeText,
    used: TimeText,
    ends: TimeText,
}

#[derive(Template)]
#[template(path = "pages/account.html")]
struct AccountTemplate {
    frame: Frame,
    grants: Vec<String>,
    sessions: Vec<SessionLine>,
}

/// Shows the page.
pub(super) async fn show_account(
    State(state): State<PageState>,
    visitor: Visitor,
) -> Result<Html<String>, PageError> {
    let now_us = state.back_office.clock.now_us();
    let sessions = state.back_office.list_own_sessions(&visitor.user).await?;
    let line = |session: crate::store::SessionRow| SessionLine {
        is_this_one: session.id == visitor.user.session_id,
        began: time_text(session.created_us, now_us),
        used: time_text(session.used_us, now_us),
        ends: time_text(session.expires_us, now_us),
        id: session.id,
    };
    let page = AccountTemplate {
        frame: Frame::new(&visitor, "/account", visitor.user.name.clone(), ""),
        grants: visitor.user.principal.grants().iter().map(Grant::to_string).collect(),
        sessions: sessions.into_iter().map(line).collect(),
    };
    Ok(Html(page.render()?))
}

/// Ends one of the person's sessions.
pub(super) async fn end_session(
    State(state): State<PageState>,
    Path(session): Path<String>,
    VisitorForm { visitor, .. }: VisitorForm<NoFields>,
) -> Result<Redirect, PageError> {
    state.back_office.end_own_session(&visitor.user, &session).await?;
    Ok(Redirect::to("/account"))
}
