//! All routes, and the OpenAPI document that describes them.

use std::time::Duration;

use axum::{
    Json, Router,
    extract::{DefaultBodyLimit, Request},
    http::StatusCode,
    middleware,
};
use tower_http::{timeout::TimeoutLayer, trace::TraceLayer};
use utoipa::openapi::{
    Components, InfoBuilder, OpenApi, OpenApiBuilder, SecurityRequirement,
    security::{HttpAuthScheme, HttpBuilder, SecurityScheme},
};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{App, health, join, problem};

/// The largest JSON body, in bytes: a change of many thousand objects.
const BODY_BYTES: usize = 32 * 1024 * 1024;
/// How long a request may take, uploads and downloads of packages excepted.
const WITHIN: Duration = Duration::from_secs(60);

fn api() -> OpenApiRouter<App> {
    OpenApiRouter::with_openapi(head())
        .routes(routes!(health::health))
        .routes(routes!(join::join))
        .routes(routes!(join::create_join_token))
}

/// Everything the control plane answers.
pub fn router(app: App) -> Router {
    let (routes, document) = api().split_for_parts();
    let limited = routes
        .route("/api/v1/openapi.json", axum::routing::get(async move || Json(document)))
        .layer(TimeoutLayer::with_status_code(StatusCode::REQUEST_TIMEOUT, WITHIN));
    limited
        .method_not_allowed_fallback(async || StatusCode::METHOD_NOT_ALLOWED)
        .fallback(async || StatusCode::NOT_FOUND)
        .layer(DefaultBodyLimit::max(BODY_BYTES))
        .layer(middleware::from_fn(problem::everywhere))
        // Only method and path: headers hold tokens.
        .layer(TraceLayer::new_for_http().make_span_with(|request: &Request| {
            tracing::info_span!("request", method = %request.method(), path = request.uri().path())
        }))
        .with_state(app)
}

/// The OpenAPI document.
pub fn document() -> OpenApi {
    api().split_for_parts().1
}

fn head() -> OpenApi {
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
                     problem (RFC 9457, schema `Problem`). Times are microseconds since 1970-01-01 UTC. The \
                     repository's files are served at `/repository/CHANNEL/` to everybody, as a YUM repository, \
                     and the keys that sign them at `/repository/keys.asc`.",
                ))
                .build(),
        )
        .components(Some(components))
        .security(Some([SecurityRequirement::new("bearer", Vec::<String>::new())]))
        .build()
}
