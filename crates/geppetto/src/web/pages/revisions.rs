//! `/revisions`: who changed what, and why; `/revisions/NUMBER`: what one changed, or what differs from another one.

use askama::Template;
use axum::{
    extract::{Path, Query, State},
    response::Html,
};
use model::wire::PlaceChangeSummary;
use serde::Deserialize;

use super::ROWS;
use crate::{
    auth::Viewer,
    web::{
        frame::Frame,
        page_error::PageError,
        page_state::PageState,
        time_text::{TimeText, time_text},
        visitor::Visitor,
    },
};

/// How many places that differ are shown.
const SHOWN_PLACES: usize = 50;

struct RevisionLine {
    number: u64,
    at: TimeText,
    author: String,
    message: String,
}

/// A line of a diff, and what it is: `added`, `removed`, `context`.
struct DiffLine {
    class: &'static str,
    text: String,
}

struct PlaceDiff {
    place: String,
    how: String,
    lines: Vec<DiffLine>,
}

#[derive(Template)]
#[template(path = "pages/revisions.html")]
struct RevisionsTemplate {
    frame: Frame,
    revisions: Vec<RevisionLine>,
    next: Option<u64>,
}

#[derive(Template)]
#[template(path = "pages/revision.html")]
struct RevisionTemplate {
    frame: Frame,
    revision: RevisionLine,
    from: u64,
    newest: u64,
    places: Vec<PlaceDiff>,
    /// How many more places differ.
    more: usize,
}

/// From which revision on.
#[derive(Debug, Deserialize)]
pub(super) struct BeforeQuery {
    pub(super) before: Option<u64>,
}

/// Compared with which revision.
#[derive(Debug, Deserialize)]
pub(super) struct FromQuery {
    from: Option<u64>,
}

/// Lists the revisions.
pub(super) async fn list_revisions(
    State(state): State<PageState>,
    visitor: Visitor,
    Query(query): Query<BeforeQuery>,
) -> Result<Html<String>, PageError> {
    let permit = visitor.require_access_level_somewhere::<Viewer>()?;
    let now_us = state.back_office.clock.now_us();
    let found = state.back_office.list_revisions(&permit, query.before, ROWS as u32).await?;
    let page = RevisionsTemplate {
        frame: Frame::new(&visitor, "/revisions", "Revisions", "punch revision list"),
        revisions: found.items.into_iter().map(|revision| revision_line(revision, now_us)).collect(),
        next: found.next,
    };
    Ok(Html(page.render()?))
}

/// Shows one revision.
pub(super) async fn show_revision(
    State(state): State<PageState>,
    visitor: Visitor,
    Path(number): Path<u64>,
    Query(query): Query<FromQuery>,
) -> Result<Html<String>, PageError> {
    let permit = visitor.require_access_level_somewhere::<Viewer>()?;
    let office = &state.back_office;
    let now_us = office.clock.now_us();
    let newest =
        office.list_revisions(&permit, None, 1).await?.items.first().map_or(0, |newest| newest.number);
    let found = office.list_revisions(&permit, Some(number.saturating_add(1)), 1).await?;
    let revision = found.items.into_iter().find(|revision| revision.number == number);
    let revision = revision.ok_or_else(PageError::no_such_page)?;
    let from = query.from.unwrap_or(number - 1);
    let comparison =
        office.compare_revisions_with_masked_secrets(&permit, (from, number), SHOWN_PLACES).await?;
    let command = format!("punch revision diff {from} {number}");
    let page = RevisionTemplate {
        frame: Frame::new(&visitor, "/revisions", format!("Revision {number}"), command),
        revision: revision_line(revision, now_us),
        from,
        newest,
        more: comparison.count - comparison.places.len(),
        places: comparison.places.into_iter().map(place_diff).collect(),
    };
    Ok(Html(page.render()?))
}

fn revision_line(revision: model::wire::RevisionSummary, now_us: i64) -> RevisionLine {
    RevisionLine {
        number: revision.number,
        at: time_text(revision.created_us, now_us),
        author: revision.author,
        message: revision.message,
    }
}

fn place_diff(change: PlaceChangeSummary) -> PlaceDiff {
    let lines = change.diff.unwrap_or_default();
    let line = |text: &str| DiffLine {
        class: match text.as_bytes().first() {
            Some(b'+') => "added",
            Some(b'-') => "removed",
            _ => "context",
        },
        text: text.to_owned(),
    };
    PlaceDiff { lines: lines.lines().map(line).collect(), place: change.place, how: change.how }
}
