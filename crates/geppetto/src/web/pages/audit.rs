//! `/audit`: who did what, newest first.

use askama::Template;
use axum::{
    extract::{Query, State},
    response::Html,
};

use super::{ROWS, revisions::BeforeQuery};
use crate::{
    auth::Operator,
    web::{
        frame::Frame,
        page_error::PageError,
        page_state::PageState,
        time_text::{TimeText, time_text},
        visitor::Visitor,
    },
};

struct AuditLine {
    at: TimeText,
    actor: String,
    action: String,
    subject: String,
    detail: String,
}

#[derive(Template)]
#[template(path = "pages/audit.html")]
struct AuditTemplate {
    frame: Frame,
    entries: Vec<AuditLine>,
    next: Option<u64>,
}

/// Shows the list.
pub(super) async fn list_audit_entries(
    State(state): State<PageState>,
    visitor: Visitor,
    Query(query): Query<BeforeQuery>,
) -> Result<Html<String>, PageError> {
    let permit = visitor.require_access_level_somewhere::<Operator>()?;
    let now_us = state.back_office.clock.now_us();
    let found = state.back_office.list_audit_entries(&permit, query.before, ROWS as u32).await?;
    let line = |entry: model::wire::AuditEntry| AuditLine {
        at: time_text(entry.at_us, now_us),
        actor: entry.actor,
        action: entry.action,
        subject: entry.subject,
        detail: entry.detail,
    };
    let page = AuditTemplate {
        frame: Frame::new(&visitor, "/audit", "Audit", "punch audit list"),
        entries: found.items.into_iter().map(line).collect(),
        next: found.next,
    };
    Ok(Html(page.render()?))
}
