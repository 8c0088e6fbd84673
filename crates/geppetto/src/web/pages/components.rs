//! `/components`: which versions are in which channel; `/components/NAME`: all versions of one.

use askama::Template;
use axum::{
    extract::{Path, Query, State},
    response::Html,
};
use model::{
    name::Name,
    wire::{ComponentSummary, ComponentVersionSummary},
};

use super::{ROWS, places::AfterQuery};
use crate::{
    auth::Viewer,
    backoffice::PageRequest,
    web::{frame::Frame, page_error::PageError, page_state::PageState, visitor::Visitor},
};

#[derive(Template)]
#[template(path = "pages/components.html")]
struct ComponentsTemplate {
    frame: Frame,
    /// In the order of promotion.
    channels: Vec<String>,
    components: Vec<ComponentSummary>,
    next: Option<String>,
}

#[derive(Template)]
#[template(path = "pages/component.html")]
struct ComponentTemplate {
    frame: Frame,
    name: String,
    summary: String,
    channels: Vec<String>,
    versions: Vec<ComponentVersionSummary>,
}

/// Lists the components.
pub(super) async fn list_components(
    State(state): State<PageState>,
    visitor: Visitor,
    Query(query): Query<AfterQuery>,
) -> Result<Html<String>, PageError> {
    let permit = visitor.require_access_level_somewhere::<Viewer>()?;
    let page = PageRequest { limit: ROWS as u32, after: query.after };
    let found = state.back_office.list_components_with_newest_versions(&permit, &page).await?;
    let page = ComponentsTemplate {
        frame: Frame::new(&visitor, "/components", "Components", "punch component list"),
        channels: channel_names(&state, &visitor).await?,
        components: found.items,
        next: found.next,
    };
    Ok(Html(page.render()?))
}

/// Shows one component.
pub(super) async fn show_component(
    State(state): State<PageState>,
    visitor: Visitor,
    Path(name): Path<String>,
) -> Result<Html<String>, PageError> {
    let permit = visitor.require_access_level_somewhere::<Viewer>()?;
    let component = Name::new(&name).map_err(|_| PageError::no_such_page())?;
    let versions = state.back_office.list_component_versions(&permit, &component).await?;
    let page = ComponentTemplate {
        frame: Frame::new(&visitor, "/components", name.clone(), format!("punch component list {name}")),
        summary: versions.first().map(|version| version.summary.clone()).unwrap_or_default(),
        name,
        channels: channel_names(&state, &visitor).await?,
        versions,
    };
    Ok(Html(page.render()?))
}

async fn channel_names(state: &PageState, visitor: &Visitor) -> Result<Vec<String>, PageError> {
    let permit = visitor.require_access_level_somewhere::<Viewer>()?;
    let all = PageRequest { limit: 1000, after: None };
    let channels = state.back_office.list_channels(&permit, &all).await?;
    Ok(channels.items.into_iter().map(|channel| channel.name).collect())
}
