//! Packages and channels: upload, publish, promote, and what there is.

use axum::{
    Json,
    body::Body,
    extract::State,
    http::{HeaderMap, StatusCode, header},
};
use model::{
    name::Name,
    wire::{
        self, ComponentVersionPage, PromotionRequest, PublicationRequest, PublicationResult, ReceivedPackage,
    },
};

use super::{
    ApiState, extract,
    extract::{Allowed, Developer, PageQuery, PathParameters, QueryParameters, Viewer},
    places::{PageSlice, paginate},
    problem::ProblemResponse,
    upload,
};

/// Upload a package; it is visible in no channel yet
///
/// The body is the file. It is streamed to the disk, checked and either kept whole or not at all. The same
/// file again is no error.
#[utoipa::path(
    put, path = "/api/v1/packages/{file}", tag = "packages",
    params(("file" = String, Path, description = "`NAME-VERSION-RELEASE.ARCH.rpm`")),
    request_body(content = inline(Vec<u8>), content_type = "application/x-rpm"),
    responses(
        (status = 201, description = "It is received", body = ReceivedPackage),
        (status = 409, description = "The repository has other bytes under this name", body = wire::ProblemDetails),
        (status = 413, description = "It is too large", body = wire::ProblemDetails),
        (status = 422, description = "It is no package, or not signed by a trusted key", body = wire::ProblemDetails),
    )
)]
pub(super) async fn receive(
    State(app): State<ApiState>,
    Allowed { caller, .. }: Allowed<Developer>,
    PathParameters(file): PathParameters<String>,
    headers: HeaderMap,
    body: Body,
) -> Result<(StatusCode, Json<ReceivedPackage>), ProblemResponse> {
    let limit = app.max_package_bytes;
    let announced =
        headers.get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    if announced.is_some_and(|announced| announced > limit) {
        return Err(ProblemResponse::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            "too-large",
            "Request too large",
            format!(
                "{file} is larger than the {limit} bytes a package may have here; an operator can raise that \
                 (`geppetto serve --max-package-size`)"
            ),
        ));
    }
    let (reader, pump) = upload::body_reader(body);
    let actor = caller.actor();
    let (received, ()) = tokio::join!(app.back_office.receive(reader, &file, limit, &actor), pump);
    Ok((StatusCode::CREATED, Json(received?)))
}

/// Make received packages visible in a channel, all or none
#[utoipa::path(
    post, path = "/api/v1/channels/{channel}/publications", tag = "packages", request_body = PublicationRequest,
    params(("channel" = String, Path, description = "The channel")),
    responses(
        (status = 200, description = "They are visible", body = PublicationResult),
        (status = 404, description = "There is no such channel", body = wire::ProblemDetails),
        (status = 409, description = "They cannot be visible like this", body = wire::ProblemDetails),
    )
)]
pub(super) async fn publish(
    State(app): State<ApiState>,
    Allowed { caller, .. }: Allowed<Developer>,
    PathParameters(channel): PathParameters<Name>,
    extract::JsonBody(publication): extract::JsonBody<PublicationRequest>,
) -> Result<Json<PublicationResult>, ProblemResponse> {
    Ok(Json(app.back_office.publish(&channel, publication.files, &caller.actor()).await?))
}

/// Make a version, and what it requires, visible in one more channel
#[utoipa::path(
    post, path = "/api/v1/promotions", tag = "packages", request_body = PromotionRequest,
    responses(
        (status = 200, description = "They are visible", body = PublicationResult),
        (status = 404, description = "There is no such version or channel", body = wire::ProblemDetails),
        (status = 409, description = "Something it requires is missing", body = wire::ProblemDetails),
    )
)]
pub(super) async fn promote(
    State(app): State<ApiState>,
    Allowed { caller, .. }: Allowed<Developer>,
    extract::JsonBody(promotion): extract::JsonBody<PromotionRequest>,
) -> Result<Json<PublicationResult>, ProblemResponse> {
    Ok(Json(app.back_office.promote(&promotion, &caller.actor()).await?))
}

/// All channels
#[utoipa::path(
    get, path = "/api/v1/channels", tag = "packages", params(PageQuery),
    responses((status = 200, description = "A page of them", body = wire::ChannelPage))
)]
pub(super) async fn channels(
    State(app): State<ApiState>,
    _caller: Allowed<Viewer>,
    QueryParameters(page): QueryParameters<PageQuery>,
) -> Result<Json<wire::ChannelPage>, ProblemResponse> {
    let catalog = app.back_office.catalog().await?;
    let all = catalog.channels.iter().map(|(name, components)| (name.as_str(), components.len()));
    let PageSlice { items, next } = paginate(all, &page)?;
    let items = items
        .into_iter()
        .map(|(name, components)| wire::ChannelSummary { name: name.to_owned(), components })
        .collect();
    Ok(Json(wire::ChannelPage { items, next }))
}

/// All components of the repository
#[utoipa::path(
    get, path = "/api/v1/components", tag = "packages", params(PageQuery),
    responses((status = 200, description = "A page of them", body = wire::ComponentPage))
)]
pub(super) async fn components(
    State(app): State<ApiState>,
    _caller: Allowed<Viewer>,
    QueryParameters(page): QueryParameters<PageQuery>,
) -> Result<Json<wire::ComponentPage>, ProblemResponse> {
    let catalog = app.back_office.catalog().await?;
    let newest = catalog
        .components
        .iter()
        .filter_map(|(name, versions)| Some((name.as_str(), (name, versions.values().next_back()?))));
    let PageSlice { items: found, next } = paginate(newest, &page)?;
    let items = found
        .into_iter()
        .map(|(_, (name, newest))| wire::ComponentSummary {
            name: name.to_string(),
            kind: newest.component.kind,
            summary: newest.component.summary.clone(),
            channels: catalog
                .channels
                .keys()
                .filter_map(|channel| {
                    Some((channel.to_string(), catalog.versions(channel, name).last()?.to_string()))
                })
                .collect(),
        })
        .collect();
    Ok(Json(wire::ComponentPage { items, next }))
}

/// The versions of a component, newest first
#[utoipa::path(
    get, path = "/api/v1/components/{name}/versions", tag = "packages",
    params(("name" = String, Path, description = "The component"), PageQuery),
    responses(
        (status = 200, description = "A page of them, with the channels each is visible in", body = ComponentVersionPage),
        (status = 404, description = "There is no such component", body = wire::ProblemDetails),
    )
)]
pub(super) async fn versions(
    State(app): State<ApiState>,
    _caller: Allowed<Viewer>,
    PathParameters(name): PathParameters<Name>,
    QueryParameters(page): QueryParameters<PageQuery>,
) -> Result<Json<ComponentVersionPage>, ProblemResponse> {
    let limit = extract::limit(page.limit)? as usize;
    let mut items = app.back_office.versions(&name).await?;
    if let Some(after) = &page.after {
        let at = items.iter().position(|version| &version.version == after).ok_or_else(|| {
            ProblemResponse::bad_request(format!(
                "`after` is `{after}`, which is no version of {name}: use `next` as it came"
            ))
        })?;
        items.drain(..=at);
    }
    let more = items.len() > limit;
    items.truncate(limit);
    let next = items.last().filter(|_| more).map(|last| last.version.clone());
    Ok(Json(ComponentVersionPage { items, next }))
}
