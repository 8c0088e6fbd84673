//! Roles, groups, environments and servers, as they are in the newest revision.

use axum::{Json, extract::State};
use model::{
    estate::PlaceId,
    name::{Name, ServerName},
    wire,
};

use super::{
    ApiState,
    extract::{PageQuery, PathParameters, QueryParameters},
    problem::ProblemResponse,
};
use crate::{
    auth::{UnscopedPermit, Viewer},
    backoffice::PlaceKind,
};

/// The list and show handlers of roles, groups and environments.
macro_rules! place_handlers {
    ($title:literal, $kind:ident, $list_path:literal, $one_path:literal, $list:ident, $one:ident) => {
        #[doc = concat!("All ", $title, "s")]
        #[utoipa::path(
                            get, path = $list_path, tag = "back-office", params(PageQuery),
                            responses((status = 200, description = "A page of them", body = wire::RoleGroupOrEnvironmentPage))
                        )]
        pub(super) async fn $list(
            State(app): State<ApiState>,
            permit: UnscopedPermit<Viewer>,
            QueryParameters(page): QueryParameters<PageQuery>,
        ) -> Result<Json<wire::RoleGroupOrEnvironmentPage>, ProblemResponse> {
            Ok(Json(app.back_office.list_places(&permit, PlaceKind::$kind, &page.try_into_page_request()?).await?))
        }

        #[doc = concat!("One ", $title)]
        #[utoipa::path(
                            get, path = $one_path, tag = "back-office",
                            params(("name" = String, Path, description = "Its name")),
                            responses(
                                (status = 200, description = "Its document", body = wire::PlaceDocument),
                                (status = 404, description = "There is none", body = wire::ProblemDetails),
                            )
                        )]
        pub(super) async fn $one(
            State(app): State<ApiState>,
            permit: UnscopedPermit<Viewer>,
            PathParameters(name): PathParameters<Name>,
        ) -> Result<Json<wire::PlaceDocument>, ProblemResponse> {
            Ok(Json(app.back_office.get_place_document(&permit, &PlaceId::$kind(name)).await?))
        }
    };
}

place_handlers!("role", Role, "/api/v1/roles", "/api/v1/roles/{name}", list_roles, get_role_document);
place_handlers!("group", Group, "/api/v1/groups", "/api/v1/groups/{name}", list_groups, get_group_document);
place_handlers!(
    "environment",
    Environment,
    "/api/v1/environments",
    "/api/v1/environments/{name}",
    list_environments,
    get_environment_document
);

/// All servers
#[utoipa::path(
    get, path = "/api/v1/servers", tag = "servers", params(PageQuery),
    responses((status = 200, description = "A page of them, with how they are", body = wire::ServerPage))
)]
pub(super) async fn list_servers(
    State(app): State<ApiState>,
    permit: UnscopedPermit<Viewer>,
    QueryParameters(page): QueryParameters<PageQuery>,
) -> Result<Json<wire::ServerPage>, ProblemResponse> {
    Ok(Json(app.back_office.list_servers(&permit, &page.try_into_page_request()?).await?))
}

/// One server
#[utoipa::path(
    get, path = "/api/v1/servers/{server}", tag = "servers",
    params(("server" = String, Path, description = "Its name")),
    responses(
        (status = 200, description = "Its document", body = wire::PlaceDocument),
        (status = 404, description = "There is none", body = wire::ProblemDetails),
    )
)]
pub(super) async fn get_server_document(
    State(app): State<ApiState>,
    permit: UnscopedPermit<Viewer>,
    PathParameters(server): PathParameters<ServerName>,
) -> Result<Json<wire::PlaceDocument>, ProblemResponse> {
    Ok(Json(app.back_office.get_place_document(&permit, &PlaceId::Server(server)).await?))
}
