//! `/roles`: what inherits what, as a picture and as a list; `/roles/NAME`: what one says and where it is used.

use std::collections::BTreeMap;

use askama::Template;
use axum::{
    extract::{Path, State},
    response::Html,
};
use model::{estate::PlaceId, name::Name};

use super::role_graph::{self, RoleGraph};
use crate::{
    auth::Viewer,
    backoffice::RoleUse,
    web::{frame::Frame, page_error::PageError, page_state::PageState, visitor::Visitor},
};

#[derive(Template)]
#[template(path = "pages/roles.html")]
struct RolesTemplate {
    frame: Frame,
    graph: RoleGraph,
    roles: BTreeMap<String, RoleUse>,
}

#[derive(Template)]
#[template(path = "pages/role.html")]
struct RoleTemplate {
    frame: Frame,
    name: String,
    role: RoleUse,
    /// All roles it inherits, nearest first, with those that each brings.
    ancestors: Vec<(String, RoleUse)>,
    /// What it inherits and what inherits it.
    graph: RoleGraph,
    document: String,
    revision: u64,
}

/// Shows all roles.
pub(super) async fn list_roles(
    State(state): State<PageState>,
    visitor: Visitor,
) -> Result<Html<String>, PageError> {
    let permit = visitor.require_access_level_somewhere::<Viewer>()?;
    let roles = state.back_office.read_role_uses(&permit).await?;
    let page = RolesTemplate {
        frame: Frame::new(&visitor, "/roles", "Roles", "punch export DIR"),
        graph: role_graph::lay_out_roles(&roles),
        roles,
    };
    Ok(Html(page.render()?))
}

/// Shows one role.
pub(super) async fn show_role(
    State(state): State<PageState>,
    visitor: Visitor,
    Path(name): Path<String>,
) -> Result<Html<String>, PageError> {
    let permit = visitor.require_access_level_somewhere::<Viewer>()?;
    let role_name = Name::new(&name).map_err(|_| PageError::no_such_page())?;
    let document =
        state.back_office.get_place_document_with_masked_secrets(&permit, &PlaceId::Role(role_name)).await?;
    let mut roles = state.back_office.read_role_uses(&permit).await?;
    let mut ancestors: Vec<String> = Vec::new();
    let mut todo: Vec<String> = roles.get(&name).map(|role| role.inherits.clone()).unwrap_or_default();
    todo.reverse();
    while let Some(next) = todo.pop() {
        if !ancestors.contains(&next) {
            todo.extend(roles.get(&next).iter().flat_map(|role| role.inherits.iter().rev().cloned()));
            ancestors.push(next);
        }
    }
    let graph = role_graph::lay_out_roles(&neighbourhood(&roles, &name, &ancestors));
    let role = roles.remove(&name).unwrap_or_default();
    let ancestors = ancestors.into_iter().filter_map(|name| roles.remove(&name).map(|role| (name, role)));
    let page = RoleTemplate {
        frame: Frame::new(&visitor, "/roles", name.clone(), "punch export DIR"),
        ancestors: ancestors.collect(),
        graph,
        name,
        role,
        document: document.document,
        revision: document.revision,
    };
    Ok(Html(page.render()?))
}

/// A role, all that it inherits, and all that inherit it.
fn neighbourhood(
    roles: &BTreeMap<String, RoleUse>,
    name: &str,
    ancestors: &[String],
) -> BTreeMap<String, RoleUse> {
    let mut names: Vec<String> = vec![name.to_owned()];
    let mut at = 0;
    while at < names.len() {
        let heirs = roles.get(&names[at]).map(|role| role.inherited_by.clone()).unwrap_or_default();
        names.extend(heirs.into_iter().filter(|heir| !names.contains(heir)).collect::<Vec<_>>());
        at += 1;
    }
    names.extend(ancestors.iter().cloned());
    names.into_iter().filter_map(|name| roles.get(&name).map(|role| (name, role.clone()))).collect()
}
