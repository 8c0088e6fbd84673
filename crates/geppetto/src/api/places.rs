//! Roles, groups, environments and servers, as they are in the newest revision.

use axum::{Json, extract::State};
use model::{
    name::{Name, ServerName},
    wire,
};

use super::{
    ApiState, extract,
    extract::{Allowed, PageQuery, PathParameters, QueryParameters, Viewer},
    problem::ProblemResponse,
};
use crate::auth::AccessLevel;

/// A part of a list, and where the next one begins.
pub(super) struct PageSlice<'a, T> {
    pub(super) items: Vec<(&'a str, T)>,
    pub(super) next: Option<String>,
}

/// The part of a list that a page asks for, and where the next one begins. The names are in order.
pub(super) fn paginate<'a, T>(
    all: impl Iterator<Item = (&'a str, T)>,
    page: &PageQuery,
) -> Result<PageSlice<'a, T>, ProblemResponse> {
    let limit = extract::limit(page.limit)? as usize;
    let after = page.after.as_deref().unwrap_or_default();
    let mut items: Vec<_> = all.filter(|(name, _)| *name > after).take(limit + 1).collect();
    let more = items.len() > limit;
    items.truncate(limit);
    let next = items.last().filter(|_| more).map(|(name, _)| (*name).to_owned());
    Ok(PageSlice { items, next })
}

/// The list and show handlers of roles, groups and environments.
macro_rules! objects {
    ($kind:literal, $field:ident, $list_path:literal, $one_path:literal, $list:ident, $one:ident) => {
        #[doc = concat!("All ", $kind, "s")]
        #[utoipa::path(
                            get, path = $list_path, tag = "back-office", params(PageQuery),
                            responses((status = 200, description = "A page of them", body = wire::PlacePage))
                        )]
        pub(super) async fn $list(
            State(app): State<ApiState>,
            _caller: Allowed<Viewer>,
            QueryParameters(page): QueryParameters<PageQuery>,
        ) -> Result<Json<wire::PlacePage>, ProblemResponse> {
            let state = app.back_office.current_estate().await?;
            let all = state.estate.$field.iter().map(|(name, object)| (name.as_str(), &object.description));
            let PageSlice { items, next } = paginate(all, &page)?;
            let items = items
                .into_iter()
                .map(|(name, description)| wire::PlaceSummary {
                    name: name.to_owned(),
                    description: description.clone(),
                })
                .collect();
            Ok(Json(wire::PlacePage { items, next }))
        }

        #[doc = concat!("One ", $kind)]
        #[utoipa::path(
                            get, path = $one_path, tag = "back-office",
                            params(("name" = String, Path, description = "Its name")),
                            responses(
                                (status = 200, description = "Its file", body = wire::PlaceDocument),
                                (status = 404, description = "There is none", body = wire::ProblemDetails),
                            )
                        )]
        pub(super) async fn $one(
            State(app): State<ApiState>,
            Allowed { caller, .. }: Allowed<Viewer>,
            PathParameters(name): PathParameters<Name>,
        ) -> Result<Json<wire::PlaceDocument>, ProblemResponse> {
            let path = concat!($list_path, "/");
            let folder = path.trim_start_matches("/api/v1/");
            let unmasked = caller.has_level(AccessLevel::Operator);
            Ok(Json(app.back_office.place_document($kind, folder, name.as_str(), unmasked).await?))
        }
    };
}

objects!("role", roles, "/api/v1/roles", "/api/v1/roles/{name}", roles, role);
objects!("group", groups, "/api/v1/groups", "/api/v1/groups/{name}", groups, group);
objects!(
    "environment",
    environments,
    "/api/v1/environments",
    "/api/v1/environments/{name}",
    environments,
    environment
);

/// All servers
#[utoipa::path(
    get, path = "/api/v1/servers", tag = "servers", params(PageQuery),
    responses((status = 200, description = "A page of them, with how they are", body = wire::ServerPage))
)]
pub(super) async fn servers(
    State(app): State<ApiState>,
    _caller: Allowed<Viewer>,
    QueryParameters(page): QueryParameters<PageQuery>,
) -> Result<Json<wire::ServerPage>, ProblemResponse> {
    let state = app.back_office.current_estate().await?;
    let all = state.estate.servers.iter().map(|(name, server)| (name.as_str(), server));
    let PageSlice { items: found, next } = paginate(all, &page)?;
    let mut items = Vec::with_capacity(found.len());
    for (name, server) in found {
        let status = app.back_office.store.server_status(name).await?;
        items.push(wire::ServerSummary {
            name: name.to_owned(),
            description: server.description.clone(),
            environment: server.environment.to_string(),
            roles: server.roles.iter().map(Name::to_string).collect(),
            generation: status.generation,
            reported_generation: status.reported_generation,
            outcome: status.outcome,
            reported_us: status.reported_us,
        });
    }
    Ok(Json(wire::ServerPage { items, next }))
}

/// One server
#[utoipa::path(
    get, path = "/api/v1/servers/{server}", tag = "servers",
    params(("server" = String, Path, description = "Its name")),
    responses(
        (status = 200, description = "Its file", body = wire::PlaceDocument),
        (status = 404, description = "There is none", body = wire::ProblemDetails),
    )
)]
pub(super) async fn server(
    State(app): State<ApiState>,
    Allowed { caller, .. }: Allowed<Viewer>,
    PathParameters(server): PathParameters<ServerName>,
) -> Result<Json<wire::PlaceDocument>, ProblemResponse> {
    let unmasked = caller.has_level(AccessLevel::Operator);
    Ok(Json(app.back_office.place_document("server", "servers/", server.as_str(), unmasked).await?))
}
