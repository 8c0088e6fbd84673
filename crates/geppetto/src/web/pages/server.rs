//! `/servers/NAME` and its tabs: how the server is, what it must be and who set each value, what it reported.

use askama::Template;
use axum::{
    extract::{Path, Query, State},
    http::StatusCode,
    response::Html,
};
use model::{
    estate::PlaceId,
    name::ServerName,
    report::ReportEntryResult,
    wire::{Explanation, ServerCredentialStatus},
};
use serde::Deserialize;

use crate::{
    auth::{Operator, Viewer},
    backoffice::{BackOfficeError, FoundServer, ServerFilter},
    web::{
        frame::Frame,
        page_error::PageError,
        page_state::PageState,
        time_text::{TimeText, duration_text, time_text},
        visitor::Visitor,
    },
};

/// How many reports a page has.
const REPORTS: u32 = 50;

struct ReportLine {
    id: u64,
    outcome: String,
    generation: u64,
    received: TimeText,
    duration: String,
    entries: u64,
}

/// The words of a place of a ladder, and where its page is.
struct Rung {
    place: String,
    address: Option<String>,
    /// What it says, without a value that may not be shown.
    says: String,
    by: String,
    effective: bool,
}

struct ValueLine {
    key: String,
    value: String,
    winner: String,
    winner_address: Option<String>,
    ladder: Vec<Rung>,
    entries: Vec<(String, String, String)>,
}

#[derive(Template)]
#[template(path = "pages/server.html")]
struct ServerTemplate {
    frame: Frame,
    tab: &'static str,
    server: FoundServer,
    reported: Option<TimeText>,
    joined: Option<TimeText>,
    credential: Option<ServerCredentialStatus>,
    document: String,
    versions: Vec<ValueLine>,
    reports: Vec<ReportLine>,
    broken: String,
}

#[derive(Template)]
#[template(path = "pages/server_values.html")]
struct ValuesTemplate {
    frame: Frame,
    tab: &'static str,
    server: FoundServer,
    text: String,
    values: Vec<ValueLine>,
    count: usize,
    broken: String,
}

#[derive(Template)]
#[template(path = "pages/server_reports.html")]
struct ReportsTemplate {
    frame: Frame,
    tab: &'static str,
    server: FoundServer,
    reports: Vec<ReportLine>,
    next: Option<u64>,
}

struct EntryLine {
    result: &'static str,
    glyph: &'static str,
    action: String,
    components: String,
    detail: String,
    duration: String,
}

#[derive(Template)]
#[template(path = "pages/server_report.html")]
struct ReportTemplate {
    frame: Frame,
    tab: &'static str,
    server: FoundServer,
    report: ReportLine,
    unchanged: usize,
    repairs: Vec<String>,
    entries: Vec<EntryLine>,
}

/// A part of the key.
#[derive(Debug, Deserialize)]
pub(super) struct ValuesQuery {
    #[serde(default)]
    text: String,
}

/// From which report on.
#[derive(Debug, Deserialize)]
pub(super) struct ReportsQuery {
    before: Option<u64>,
}

/// Shows how a server is.
pub(super) async fn show_server(
    State(state): State<PageState>,
    visitor: Visitor,
    Path(name): Path<String>,
) -> Result<Html<String>, PageError> {
    let (server, name) = find_server(&state, &visitor, &name).await?;
    let office = &state.back_office;
    let now_us = office.clock.now_us();
    let permit = visitor.require_access_level_somewhere::<Viewer>()?;
    let document =
        office.get_place_document_with_masked_secrets(&permit, &PlaceId::Server(name.clone())).await?;
    let reports = office.list_reports_of_server(&visitor.user.principal, &name, None, 5).await?;
    let (explained, broken) = explained(&state, &visitor, &name).await?;
    let credential = match visitor.require_access_level_somewhere::<Operator>() {
        Ok(permit) => office.get_server_credential_status(&permit, &name).await.ok(),
        Err(_) => None,
    };
    let page = ServerTemplate {
        frame: Frame::new(&visitor, "/servers", name.to_string(), format!("punch server show {name}")),
        tab: "server",
        reported: server.reported_us.map(|at_us| time_text(at_us, now_us)),
        joined: credential.as_ref().and_then(|it| it.joined_us).map(|at_us| time_text(at_us, now_us)),
        credential,
        document: document.document,
        versions: explained.into_iter().filter(|it| !it.key.contains('.')).map(value_line).collect(),
        reports: reports.items.into_iter().map(|report| report_line(report, now_us)).collect(),
        broken,
        server,
    };
    Ok(Html(page.render()?))
}

/// Shows all values of a server, and who set each.
pub(super) async fn show_values(
    State(state): State<PageState>,
    visitor: Visitor,
    Path(name): Path<String>,
    Query(query): Query<ValuesQuery>,
) -> Result<Html<String>, PageError> {
    let (server, name) = find_server(&state, &visitor, &name).await?;
    let (explained, broken) = explained(&state, &visitor, &name).await?;
    let text = query.text.trim().to_lowercase();
    let values: Vec<Explanation> = explained.into_iter().filter(|it| it.key.contains('.')).collect();
    let count = values.len();
    let page = ValuesTemplate {
        frame: Frame::new(
            &visitor,
            "/servers",
            format!("Values of {name}"),
            format!("punch explain --server {name}"),
        ),
        tab: "values",
        server,
        values: values
            .into_iter()
            .filter(|it| it.key.to_lowercase().contains(&text))
            .map(value_line)
            .collect(),
        count,
        text: query.text,
        broken,
    };
    Ok(Html(page.render()?))
}

/// Lists what a server reported.
pub(super) async fn list_reports(
    State(state): State<PageState>,
    visitor: Visitor,
    Path(name): Path<String>,
    Query(query): Query<ReportsQuery>,
) -> Result<Html<String>, PageError> {
    let (server, name) = find_server(&state, &visitor, &name).await?;
    let principal = &visitor.user.principal;
    let found = state.back_office.list_reports_of_server(principal, &name, query.before, REPORTS).await?;
    let now_us = state.back_office.clock.now_us();
    let page = ReportsTemplate {
        frame: Frame::new(
            &visitor,
            "/servers",
            format!("Reports of {name}"),
            format!("punch server show {name}"),
        ),
        tab: "reports",
        server,
        reports: found.items.into_iter().map(|report| report_line(report, now_us)).collect(),
        next: found.next,
    };
    Ok(Html(page.render()?))
}

/// Shows one report.
pub(super) async fn show_report(
    State(state): State<PageState>,
    visitor: Visitor,
    Path((name, id)): Path<(String, u64)>,
) -> Result<Html<String>, PageError> {
    let (server, name) = find_server(&state, &visitor, &name).await?;
    let stored = state.back_office.get_report(&visitor.user.principal, &name, id).await?;
    let now_us = state.back_office.clock.now_us();
    let report = stored.report;
    let entries = report.entries.into_iter().map(|entry| {
        let (result, glyph) = match entry.result {
            ReportEntryResult::Done => ("done", "◐"),
            ReportEntryResult::Failed => ("failed", "▲"),
            ReportEntryResult::Blocked => ("blocked", "■"),
            ReportEntryResult::Interrupted => ("interrupted", "▲"),
            ReportEntryResult::Skipped => ("skipped", "○"),
        };
        let components: Vec<String> = entry.components.iter().map(ToString::to_string).collect();
        EntryLine {
            result,
            glyph,
            action: entry.action,
            components: components.join(", "),
            detail: entry.detail,
            duration: duration_text(entry.duration_us),
        }
    });
    let page = ReportTemplate {
        frame: Frame::new(&visitor, "/servers", format!("Report {id} of {name}"), "punch history"),
        tab: "reports",
        server,
        entries: entries.collect(),
        unchanged: report.unchanged,
        repairs: report.repairs.into_iter().map(|repair| repair.what).collect(),
        report: ReportLine {
            id,
            outcome: report.outcome.as_str().to_owned(),
            generation: report.generation,
            received: time_text(stored.received_us, now_us),
            duration: duration_text(report.duration_us),
            entries: 0,
        },
    };
    Ok(Html(page.render()?))
}

async fn find_server(
    state: &PageState,
    visitor: &Visitor,
    name: &str,
) -> Result<(FoundServer, ServerName), PageError> {
    let permit = visitor.require_access_level_somewhere::<Viewer>()?;
    let name = ServerName::new(name).map_err(|_| PageError::no_such_page())?;
    state.back_office.require_known_and_visible_server(&permit, &name).await?;
    let filter = ServerFilter { name: Some(name.to_string()), ..ServerFilter::default() };
    let found = state.back_office.search_servers(&permit, &filter, None, 1).await?;
    let server = found.items.into_iter().next().ok_or_else(|| {
        PageError::new(
            StatusCode::NOT_FOUND,
            "It is not there",
            format!("The server {name} has just left the estate."),
        )
    })?;
    Ok((server, name))
}

/// All that is explained of a server; or why it cannot be resolved.
async fn explained(
    state: &PageState,
    visitor: &Visitor,
    name: &ServerName,
) -> Result<(Vec<Explanation>, String), PageError> {
    match state.back_office.explain_all_versions_and_values(&visitor.user.principal, name).await {
        Ok(explained) => Ok((explained, String::new())),
        Err(error @ BackOfficeError::Unresolvable { .. }) => Ok((Vec::new(), error.to_string())),
        Err(error) => Err(error.into()),
    }
}

fn report_line(report: model::wire::ReportSummary, now_us: i64) -> ReportLine {
    ReportLine {
        id: report.id,
        outcome: report.outcome.as_str().to_owned(),
        generation: report.generation,
        received: time_text(report.received_us, now_us),
        duration: duration_text(report.duration_us),
        entries: report.entries,
    }
}

fn value_line(explanation: Explanation) -> ValueLine {
    let secret = explanation.secret;
    let shown = |value: &Option<serde_json::Value>| match value {
        None if secret => "(secret)".to_owned(),
        None => String::new(),
        Some(_) if secret => "(secret)".to_owned(),
        Some(serde_json::Value::String(text)) => text.clone(),
        Some(value) => value.to_string(),
    };
    let ladder: Vec<Rung> = explanation
        .provenance
        .iter()
        .map(|entry| Rung {
            address: address_of_place(&entry.place),
            says: match (entry.removes, entry.takes_away.is_empty()) {
                (true, true) => "removed".to_owned(),
                (true, false) => format!("removed: takes away {}", entry.takes_away.join(", ")),
                (false, _) if entry.constrains => format!("only {}", shown(&entry.value)),
                (false, _) => shown(&entry.value),
            },
            by: match (&entry.by, entry.revision) {
                (Some(by), Some(revision)) => format!("{by}, revision {revision}"),
                (Some(by), None) => by.clone(),
                (None, Some(revision)) => format!("revision {revision}"),
                (None, None) => String::new(),
            },
            effective: entry.effective,
            place: entry.place.clone(),
        })
        .collect();
    let winner = ladder.iter().find(|rung| rung.effective).map(|rung| rung.place.clone()).unwrap_or_default();
    ValueLine {
        value: shown(&explanation.value),
        winner_address: address_of_place(&winner),
        winner,
        ladder,
        entries: explanation
            .entries
            .iter()
            .map(|entry| {
                let value = if secret { "(secret)".to_owned() } else { shown(&Some(entry.value.clone())) };
                (entry.path.clone(), value, entry.place.clone().unwrap_or_default())
            })
            .collect(),
        key: explanation.key,
    }
}

/// The page of a place as explanations name it: `role web`.
pub(super) fn address_of_place(place: &str) -> Option<String> {
    let (kind, name) = place.split_once(' ')?;
    match kind {
        "role" | "group" | "environment" | "server" => Some(format!("/{kind}s/{name}")),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn place_of_an_explanation_leads_to_its_page() {
        assert_eq!(address_of_place("role web").as_deref(), Some("/roles/web"));
        assert_eq!(address_of_place("environment prod").as_deref(), Some("/environments/prod"));
        assert_eq!(address_of_place("default of shop"), None);
    }
}
