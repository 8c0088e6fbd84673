//! `/`: how many servers are how, what needs a person, what was changed lately.

use askama::Template;
use axum::{extract::State, response::Html};

use crate::{
    auth::Viewer,
    backoffice::{FoundServer, ServerFilter, ServerState},
    web::{
        frame::Frame,
        page_error::PageError,
        page_state::PageState,
        time_text::{TimeText, time_text},
        visitor::Visitor,
    },
};

/// How many servers that need a person are named.
const NAMED: usize = 10;
/// How many revisions are shown.
const REVISIONS: u32 = 8;

struct RevisionLine {
    number: u64,
    message: String,
    author: String,
    at: TimeText,
}

struct TroubleLine {
    server: FoundServer,
    reported: TimeText,
}

#[derive(Template)]
#[template(path = "pages/overview.html")]
struct OverviewTemplate {
    frame: Frame,
    counts: Vec<(ServerState, usize)>,
    servers: usize,
    trouble: Vec<TroubleLine>,
    trouble_count: usize,
    revisions: Vec<RevisionLine>,
    has_components: bool,
    control_plane_url: String,
}

/// Shows the page.
pub(super) async fn show_overview(
    State(state): State<PageState>,
    visitor: Visitor,
) -> Result<Html<String>, PageError> {
    let permit = visitor.require_access_level_somewhere::<Viewer>()?;
    let office = &state.back_office;
    let now_us = office.clock.now_us();
    let all = office.search_servers(&permit, &ServerFilter::default(), None, 0).await?;
    let mut trouble = Vec::new();
    let mut trouble_count = 0;
    for (server_state, count) in all.counts_by_state.iter().filter(|(state, _)| state.needs_a_person()) {
        trouble_count += count;
        if *count > 0 && trouble.len() < NAMED {
            let filter = ServerFilter { state: Some(*server_state), ..ServerFilter::default() };
            let found = office.search_servers(&permit, &filter, None, NAMED - trouble.len()).await?;
            trouble.extend(found.items.into_iter().map(|server| TroubleLine {
                reported: time_text(server.reported_us.unwrap_or_default(), now_us),
                server,
            }));
        }
    }
    let revisions = office.list_revisions(&permit, None, REVISIONS).await?;
    let components = crate::backoffice::PageRequest { limit: 1, after: None };
    let components = office.list_components_with_newest_versions(&permit, &components).await?;
    let page = OverviewTemplate {
        frame: Frame::new(&visitor, "/", "Overview", "punch server list"),
        counts: all.counts_by_state.into_iter().filter(|(_, count)| *count > 0).collect(),
        servers: all.count,
        trouble,
        trouble_count,
        revisions: revisions
            .items
            .into_iter()
            .map(|revision| RevisionLine {
                number: revision.number,
                at: time_text(revision.created_us, now_us),
                message: revision.message,
                author: revision.author,
            })
            .collect(),
        has_components: !components.items.is_empty(),
        control_plane_url: state.control_plane_url.clone(),
    };
    Ok(Html(page.render()?))
}
