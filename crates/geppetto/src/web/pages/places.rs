//! `/groups`, `/environments`: what there is, and what each says.

use askama::Template;
use axum::{
    extract::{Path, Query, State},
    response::Html,
};
use model::{estate::PlaceId, name::Name};
use serde::Deserialize;

use super::ROWS;
use crate::{
    auth::Viewer,
    backoffice::{PageRequest, PlaceKind, ServerFilter, ServerState},
    web::{frame::Frame, page_error::PageError, page_state::PageState, visitor::Visitor},
};

#[derive(Template)]
#[template(path = "pages/places.html")]
struct PlacesTemplate {
    frame: Frame,
    /// `group`
    kind: &'static str,
    about: &'static str,
    /// Name and description.
    places: Vec<(String, String)>,
    next: Option<String>,
}

#[derive(Template)]
#[template(path = "pages/place.html")]
struct PlaceTemplate {
    frame: Frame,
    kind: &'static str,
    name: String,
    servers: usize,
    counts: Vec<(ServerState, usize)>,
    document: String,
    revision: u64,
}

/// After which name.
#[derive(Debug, Deserialize)]
pub(super) struct AfterQuery {
    pub(super) after: Option<String>,
}

/// Lists the groups.
pub(super) async fn list_groups(
    state: State<PageState>,
    visitor: Visitor,
    query: Query<AfterQuery>,
) -> Result<Html<String>, PageError> {
    let about = "A group is any set of servers, with what its servers require and their values.";
    list(state, visitor, query, (PlaceKind::Group, "group", about)).await
}

/// Lists the environments.
pub(super) async fn list_environments(
    state: State<PageState>,
    visitor: Visitor,
    query: Query<AfterQuery>,
) -> Result<Html<String>, PageError> {
    let about = "Each server is in one environment, which names the channel that its components come from.";
    list(state, visitor, query, (PlaceKind::Environment, "environment", about)).await
}

/// Shows one group.
pub(super) async fn show_group(
    state: State<PageState>,
    visitor: Visitor,
    Path(name): Path<String>,
) -> Result<Html<String>, PageError> {
    let filter = ServerFilter { group: Some(name.clone()), ..ServerFilter::default() };
    let place = PlaceId::Group(Name::new(&name).map_err(|_| PageError::no_such_page())?);
    show(state, visitor, ("/groups", "group", name), place, filter).await
}

/// Shows one environment.
pub(super) async fn show_environment(
    state: State<PageState>,
    visitor: Visitor,
    Path(name): Path<String>,
) -> Result<Html<String>, PageError> {
    let filter = ServerFilter { environment: Some(name.clone()), ..ServerFilter::default() };
    let place = PlaceId::Environment(Name::new(&name).map_err(|_| PageError::no_such_page())?);
    show(state, visitor, ("/environments", "environment", name), place, filter).await
}

async fn list(
    State(state): State<PageState>,
    visitor: Visitor,
    Query(query): Query<AfterQuery>,
    (place_kind, kind, about): (PlaceKind, &'static str, &'static str),
) -> Result<Html<String>, PageError> {
    let permit = visitor.require_access_level_somewhere::<Viewer>()?;
    let page = PageRequest { limit: ROWS as u32, after: query.after };
    let found = state.back_office.list_places(&permit, place_kind, &page).await?;
    let (noun, title) = match place_kind {
        PlaceKind::Group => ("/groups", "Groups"),
        _ => ("/environments", "Environments"),
    };
    let page = PlacesTemplate {
        frame: Frame::new(&visitor, noun, title, "punch export DIR"),
        kind,
        about,
        places: found.items.into_iter().map(|place| (place.name, place.description)).collect(),
        next: found.next,
    };
    Ok(Html(page.render()?))
}

async fn show(
    State(state): State<PageState>,
    visitor: Visitor,
    (noun, kind, name): (&'static str, &'static str, String),
    place: PlaceId,
    filter: ServerFilter,
) -> Result<Html<String>, PageError> {
    let permit = visitor.require_access_level_somewhere::<Viewer>()?;
    let document = state.back_office.get_place_document_with_masked_secrets(&permit, &place).await?;
    let servers = state.back_office.search_servers(&permit, &filter, None, 0).await?;
    let page = PlaceTemplate {
        frame: Frame::new(&visitor, noun, name.clone(), "punch export DIR"),
        kind,
        name,
        servers: servers.count,
        counts: servers.counts_by_state.into_iter().filter(|(_, count)| *count > 0).collect(),
        document: document.document,
        revision: document.revision,
    };
    Ok(Html(page.render()?))
}
