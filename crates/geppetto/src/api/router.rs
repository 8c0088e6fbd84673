//! All routes, and the OpenAPI document that describes them.

use std::{sync::Arc, time::Duration};

use axum::{
    Json, Router,
    extract::{DefaultBodyLimit, Request},
    http::{StatusCode, header},
    middleware,
    response::{IntoResponse as _, Response},
    routing::get,
};
use tower_http::{timeout::TimeoutLayer, trace::TraceLayer};
use utoipa::openapi::{
    Components, InfoBuilder, OpenApi, OpenApiBuilder, SecurityRequirement,
    security::{HttpAuthScheme, HttpBuilder, SecurityScheme},
};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    ApiState, changes, etag, events, health, history, jobs, join, keys, nodes, openapi_description, packages,
    places, problem, reports, repository_files, servers, tokens, upload, users,
};
use crate::web;

/// The largest body of a small request, in bytes. Unauthenticated clients can send one.
const WORDS_BYTES: usize = 16 * 1024;
/// The largest report, and the largest list of files to publish.
const LIST_BYTES: usize = 1024 * 1024;
/// The largest change, of many thousand objects.
const CHANGE_BYTES: usize = 32 * 1024 * 1024;
/// How long a request may take, uploads and downloads of packages excepted.
const WITHIN: Duration = Duration::from_secs(60);

fn api() -> OpenApiRouter<ApiState> {
    OpenApiRouter::with_openapi(api_info())
        .routes(routes!(health::get_health_status))
        .routes(routes!(join::exchange_join_token_for_credential))
        .routes(routes!(join::create_join_token))
        .routes(routes!(places::list_servers))
        .routes(routes!(places::get_server_document))
        .routes(routes!(nodes::get_node_file))
        .routes(routes!(nodes::get_node_file_of_generation))
        .routes(routes!(nodes::explain_value))
        .routes(routes!(nodes::explain_all_versions_and_values))
        .routes(routes!(nodes::get_unsigned_node_file_without_secrets))
        .routes(routes!(reports::get_report))
        .routes(routes!(
            servers::get_server_credential_status,
            servers::revoke_server_credential_and_join_tokens
        ))
        .routes(routes!(places::list_roles))
        .routes(routes!(places::get_role_document))
        .routes(routes!(places::list_groups))
        .routes(routes!(places::get_group_document))
        .routes(routes!(places::list_environments))
        .routes(routes!(places::get_environment_document))
        .routes(routes!(changes::export_estate))
        .routes(routes!(history::list_revisions))
        .routes(routes!(history::diff_revisions))
        .routes(routes!(packages::promote_version))
        .routes(routes!(packages::withdraw_version))
        .routes(routes!(packages::list_channels, packages::create_channel))
        .routes(routes!(packages::list_components_with_newest_versions))
        .routes(routes!(packages::list_component_versions))
        .routes(routes!(history::list_audit_entries))
        .routes(routes!(tokens::whoami))
        .routes(routes!(tokens::list_all_tokens, tokens::create_token))
        .routes(routes!(tokens::revoke_token))
        .routes(routes!(users::list_all_users, users::create_user))
        .routes(routes!(users::disable_user))
        .routes(routes!(users::replace_user_grants))
        .routes(routes!(users::create_password_link))
        .routes(routes!(jobs::list_jobs, jobs::request_job_run))
        .routes(routes!(jobs::get_job))
        .routes(routes!(jobs::preview_retention))
        .routes(routes!(jobs::request_job_cancellation))
        .routes(routes!(jobs::retry_job_as_new_job))
        .layer(DefaultBodyLimit::max(WORDS_BYTES))
        .merge(
            OpenApiRouter::new()
                .routes(routes!(reports::list_reports_of_server, reports::receive_report))
                .routes(routes!(packages::publish_received_packages_in_channel))
                .routes(routes!(keys::list_package_key_statuses, keys::trust_package_keys))
                .routes(routes!(keys::withdraw_package_key))
                .layer(DefaultBodyLimit::max(LIST_BYTES)),
        )
        .merge(
            OpenApiRouter::new()
                .routes(routes!(changes::submit_change))
                .layer(DefaultBodyLimit::max(CHANGE_BYTES)),
        )
}

/// Uploads take as long as they take; how long a client may be silent is bounded where they are read.
fn uploads() -> OpenApiRouter<ApiState> {
    OpenApiRouter::new().routes(routes!(packages::upload_unpublished_package))
}

/// Streams last until the listener, its token or the program ends.
fn streams() -> OpenApiRouter<ApiState> {
    OpenApiRouter::new().routes(routes!(events::stream_events))
}

/// Everything the control plane answers.
pub(crate) fn build_router(app: ApiState) -> Router {
    let (routes, _) = api().split_for_parts();
    let (uploads, _) = uploads().split_for_parts();
    let (streams, _) = streams().split_for_parts();
    let uploads = uploads.layer(middleware::from_fn(upload::drain_refused_body));
    let pages = web::PageState {
        back_office: Arc::clone(&app.back_office),
        control_plane_url: app.address.url.clone(),
        end: app.end.clone(),
    };
    let document = Arc::new(openapi_document());
    routes
        .route("/api/v1/openapi.json", get(async move || Json(document)))
        .layer(TimeoutLayer::with_status_code(StatusCode::REQUEST_TIMEOUT, WITHIN))
        .layer(middleware::from_fn(etag::add_etag_or_answer_not_modified))
        .merge(uploads)
        .merge(streams)
        .merge(repository_files::repository_file_routes(&app))
        .method_not_allowed_fallback(async || StatusCode::METHOD_NOT_ALLOWED)
        .fallback(async |request: Request| not_found(&request))
        .layer(middleware::from_fn(problem::convert_error_responses_to_problems))
        .with_state(app)
        // Pages have errors of their own, which are pages too.
        .merge(
            web::documentation_routes()
                .layer(middleware::from_fn(etag::add_etag_or_answer_not_modified)),
        )
        // A stream lasts as long as its page is open.
        .merge(web::event_routes(pages.clone()))
        .merge(
            web::page_routes(pages)
                .layer(DefaultBodyLimit::max(WORDS_BYTES))
                .layer(TimeoutLayer::with_status_code(StatusCode::REQUEST_TIMEOUT, WITHIN)),
        )
        // Only method and path: headers hold tokens.
        .layer(TraceLayer::new_for_http().make_span_with(|request: &Request| {
            tracing::info_span!("request", method = %request.method(), path = request.uri().path())
        }))
}

/// The answer where nothing is: a page for a browser that asks for one, a problem for programs.
fn not_found(request: &Request) -> Response {
    let accept = request.headers().get(header::ACCEPT).and_then(|value| value.to_str().ok());
    let wants_page = accept.is_some_and(|accept| accept.contains("text/html"));
    let is_for_programs = ["/api/", "/repository/"].iter().any(|part| request.uri().path().starts_with(part));
    match wants_page && !is_for_programs {
        true => web::no_such_page_response(),
        false => StatusCode::NOT_FOUND.into_response(),
    }
}

/// The OpenAPI document.
pub(crate) fn openapi_document() -> OpenApi {
    let mut document = api().split_for_parts().1;
    openapi_description::add_common_refusals_and_bounds(
        &mut document,
        openapi_description::RouteKind::Bounded,
    );
    for (router, kind) in [
        (uploads(), openapi_description::RouteKind::Upload),
        (streams(), openapi_description::RouteKind::Stream),
    ] {
        let mut other = router.split_for_parts().1;
        openapi_description::add_common_refusals_and_bounds(&mut other, kind);
        document.merge(other);
    }
    document
}

fn api_info() -> OpenApi {
    let bearer = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).build();
    let mut components = Components::new();
    components.add_security_scheme("bearer", SecurityScheme::Http(bearer));
    OpenApiBuilder::new()
        .info(
            InfoBuilder::new()
                .title("Geppetto")
                .version(env!("CARGO_PKG_VERSION"))
                .description(Some(
                    "The control plane. Requests carry `Authorization: Bearer TOKEN`. Every refusal is a \
                     problem (RFC 9457, schema `ProblemDetails`). Times are microseconds since 1970-01-01 UTC. The \
                     repository's files are served at `/repository/CHANNEL/` to everybody, as a YUM repository, \
                     and the keys that sign them at `/repository/keys.asc`.",
                ))
                .build(),
        )
        .components(Some(components))
        .security(Some([SecurityRequirement::new("bearer", Vec::<String>::new())]))
        .build()
}
