//! `/servers`: which servers there are and how they are, by a filter that stands in the address.

use askama::Template;
use axum::{
    extract::{Query, State},
    response::Html,
};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;

use super::ROWS;
use crate::{
    auth::Viewer,
    backoffice::{FoundServer, PageRequest, PlaceKind, ServerFilter, ServerState},
    web::{
        frame::Frame,
        page_error::PageError,
        page_state::PageState,
        time_text::{TimeText, time_text},
        visitor::Visitor,
    },
};

/// What stands in the address.
#[derive(Debug, Default, Deserialize)]
pub(super) struct ServersQuery {
    #[serde(default)]
    text: String,
    #[serde(default)]
    environment: String,
    #[serde(default)]
    group: String,
    #[serde(default)]
    role: String,
    #[serde(default)]
    state: String,
    #[serde(default)]
    after: String,
}

struct ServerLine {
    server: FoundServer,
    reported: Option<TimeText>,
    /// Whether a newer node file waits for it.
    is_behind: bool,
}

#[derive(Template)]
#[template(path = "pages/servers.html")]
struct ServersTemplate {
    frame: Frame,
    query: ServersQuery,
    environments: Vec<String>,
    lines: Vec<ServerLine>,
    count: usize,
    counts: Vec<(ServerState, usize, String)>,
    all_states: String,
    next: Option<String>,
}

impl ServersQuery {
    /// The address of the same filter with another state, from another name on.
    fn address(&self, state: &str, after: &str) -> String {
        let parts = [
            ("text", self.text.as_str()),
            ("environment", &self.environment),
            ("group", &self.group),
            ("role", &self.role),
            ("state", state),
            ("after", after),
        ];
        let given: Vec<String> = parts
            .into_iter()
            .filter(|(_, value)| !value.is_empty())
            .map(|(key, value)| format!("{key}={}", utf8_percent_encode(value, NON_ALPHANUMERIC)))
            .collect();
        match given.is_empty() {
            true => "/servers".to_owned(),
            false => format!("/servers?{}", given.join("&")),
        }
    }
}

/// Shows the list.
pub(super) async fn list_servers(
    State(state): State<PageState>,
    visitor: Visitor,
    Query(query): Query<ServersQuery>,
) -> Result<Html<String>, PageError> {
    let permit = visitor.require_access_level_somewhere::<Viewer>()?;
    let given = |text: &str| Some(text.trim().to_owned()).filter(|text| !text.is_empty());
    let filter = ServerFilter {
        name: None,
        text: given(&query.text),
        environment: given(&query.environment),
        group: given(&query.group),
        role: given(&query.role),
        state: ServerState::parse_state_name(&query.state),
    };
    let after = given(&query.after);
    let found = state.back_office.search_servers(&permit, &filter, after.as_deref(), ROWS).await?;
    let environments = PageRequest { limit: 1000, after: None };
    let environments = state.back_office.list_places(&permit, PlaceKind::Environment, &environments).await?;
    let now_us = state.back_office.clock.now_us();
    let line = |server: FoundServer| ServerLine {
        reported: server.reported_us.map(|at_us| time_text(at_us, now_us)),
        is_behind: server.reported_us.is_some() && server.generation > server.reported_generation,
        server,
    };
    let page = ServersTemplate {
        frame: Frame::new(&visitor, "/servers", "Servers", "punch server list"),
        environments: environments.items.into_iter().map(|environment| environment.name).collect(),
        count: found.count,
        counts: found
            .counts_by_state
            .into_iter()
            .filter(|(_, count)| *count > 0)
            .map(|(state, count)| (state, count, query.address(state.as_str(), "")))
            .collect(),
        all_states: query.address("", ""),
        next: found.next.map(|next| query.address(&query.state, &next)),
        lines: found.items.into_iter().map(line).collect(),
        query,
    };
    Ok(Html(page.render()?))
}
