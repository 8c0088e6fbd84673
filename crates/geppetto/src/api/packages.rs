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
        self, ChannelChangeResult, ComponentVersionPage, PromotionRequest, PublicationRequest,
        UploadedPackage,
    },
};

use super::{
    ApiState, extract,
    extract::{PageQuery, PathParameters, PermitHeldEverywhere, QueryParameters},
    problem::ProblemResponse,
    upload::{self, UploadPace},
};
use crate::auth::{Developer, Operator, UnscopedPermit, Viewer};

/// Upload a package; it is visible in no channel yet
///
/// The body is the file. It is streamed to the disk, checked and either kept whole or not at all. The same
/// file again is no error.
#[utoipa::path(
    put, path = "/api/v1/packages/{file}", tag = "packages",
    params(("file" = String, Path, description = "`NAME-VERSION-RELEASE.ARCH.rpm`")),
    request_body(content = inline(Vec<u8>), content_type = "application/x-rpm"),
    responses(
        (status = 201, description = "It is received", body = UploadedPackage),
        (status = 408, description = "The body came too slowly", body = wire::ProblemDetails),
        (status = 409, description = "The repository has other bytes under this name", body = wire::ProblemDetails),
        (status = 413, description = "It is too large", body = wire::ProblemDetails),
        (status = 422, description = "It is no package, or not signed by a trusted key", body = wire::ProblemDetails),
        (status = 429, description = "The token has too many uploads at once; `Retry-After` says when to try again", body = wire::ProblemDetails),
    )
)]
pub(super) async fn upload_unpublished_package(
    State(app): State<ApiState>,
    permit: UnscopedPermit<Developer>,
    PathParameters(file): PathParameters<String>,
    headers: HeaderMap,
    body: Body,
) -> Result<(StatusCode, Json<UploadedPackage>), ProblemResponse> {
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
    let _slot = app.upload_slots.acquire_slot(permit.audit_actor()).await?;
    let upload = app.back_office.begin_package_upload(&permit, &file, limit).await?;
    let upload = upload::write_body_to_upload(body, upload, UploadPace::default()).await?;
    let received = app.back_office.finish_package_upload(&permit, &file, upload).await?;
    Ok((StatusCode::CREATED, Json(received)))
}

/// Make received packages visible in a channel, all or none
#[utoipa::path(
    post, path = "/api/v1/channels/{channel}/publications", tag = "packages", request_body = PublicationRequest,
    params(("channel" = String, Path, description = "The channel")),
    responses(
        (status = 200, description = "They are visible; with `preview`, they would be", body = ChannelChangeResult),
        (status = 404, description = "There is no such channel", body = wire::ProblemDetails),
        (status = 409, description = "They cannot be visible like this", body = wire::ProblemDetails),
    )
)]
pub(super) async fn publish_received_packages_in_channel(
    State(app): State<ApiState>,
    permit: UnscopedPermit<Developer>,
    PathParameters(channel): PathParameters<Name>,
    extract::JsonBody(publication): extract::JsonBody<PublicationRequest>,
) -> Result<Json<ChannelChangeResult>, ProblemResponse> {
    Ok(Json(app.back_office.publish_or_preview_packages(&permit, &channel, publication).await?))
}

/// Make a version, and what it requires, visible in one more channel
#[utoipa::path(
    post, path = "/api/v1/promotions", tag = "packages", request_body = PromotionRequest,
    responses(
        (status = 200, description = "They are visible; with `preview`, they would be", body = ChannelChangeResult),
        (status = 404, description = "There is no such version or channel", body = wire::ProblemDetails),
        (status = 409, description = "Something it requires is missing", body = wire::ProblemDetails),
    )
)]
pub(super) async fn promote_version(
    State(app): State<ApiState>,
    permit: UnscopedPermit<Developer>,
    extract::JsonBody(promotion): extract::JsonBody<PromotionRequest>,
) -> Result<Json<ChannelChangeResult>, ProblemResponse> {
    Ok(Json(app.back_office.promote_or_preview_version(&permit, &promotion).await?))
}

/// Take a version out of a channel
///
/// Its packages stay in other channels. Servers that get another version by it, or none, are named in the effects.
#[utoipa::path(
    post, path = "/api/v1/withdrawals", tag = "packages", request_body = wire::WithdrawalRequest,
    responses(
        (status = 200, description = "It is not visible any more; with `preview`, it would not be", body = ChannelChangeResult),
        (status = 404, description = "There is no such version or channel", body = wire::ProblemDetails),
        (status = 409, description = "Another version in the channel requires it", body = wire::ProblemDetails),
    )
)]
pub(super) async fn withdraw_version(
    State(app): State<ApiState>,
    permit: UnscopedPermit<Developer>,
    extract::JsonBody(withdrawal): extract::JsonBody<wire::WithdrawalRequest>,
) -> Result<Json<ChannelChangeResult>, ProblemResponse> {
    Ok(Json(app.back_office.withdraw_or_preview_version(&permit, &withdrawal).await?))
}

/// All channels, in the order of promotion
#[utoipa::path(
    get, path = "/api/v1/channels", tag = "packages", params(PageQuery),
    responses(
        (status = 200, description = "A page of them", body = wire::ChannelPage),
        (status = 404, description = "There is no channel `after`", body = wire::ProblemDetails),
    )
)]
pub(super) async fn list_channels(
    State(app): State<ApiState>,
    permit: UnscopedPermit<Viewer>,
    QueryParameters(page): QueryParameters<PageQuery>,
) -> Result<Json<wire::ChannelPage>, ProblemResponse> {
    Ok(Json(app.back_office.list_channels(&permit, &page.try_into_page_request()?).await?))
}

/// Create a channel
#[utoipa::path(
    post, path = "/api/v1/channels", tag = "packages", request_body = wire::ChannelCreationRequest,
    responses(
        (status = 200, description = "It is there; `created` says whether it is new", body = wire::ChannelCreationResult),
        (status = 404, description = "There is no channel to put it after", body = wire::ProblemDetails),
        (status = 409, description = "It is at another place in the order of promotion", body = wire::ProblemDetails),
    )
)]
pub(super) async fn create_channel(
    State(app): State<ApiState>,
    PermitHeldEverywhere(permit): PermitHeldEverywhere<Operator>,
    extract::JsonBody(request): extract::JsonBody<wire::ChannelCreationRequest>,
) -> Result<Json<wire::ChannelCreationResult>, ProblemResponse> {
    let named = |text: &str| {
        Name::new(text).map_err(|error| ProblemResponse::unprocessable_entity(error.to_string()))
    };
    let channel = named(&request.name)?;
    let after = request.after.as_deref().map(named).transpose()?;
    let created = app.back_office.create_channel(&permit, &channel, after.as_ref()).await?;
    Ok(Json(wire::ChannelCreationResult { name: request.name, created }))
}

/// All components of the repository
#[utoipa::path(
    get, path = "/api/v1/components", tag = "packages", params(PageQuery),
    responses((status = 200, description = "A page of them", body = wire::ComponentPage))
)]
pub(super) async fn list_components_with_newest_versions(
    State(app): State<ApiState>,
    permit: UnscopedPermit<Viewer>,
    QueryParameters(page): QueryParameters<PageQuery>,
) -> Result<Json<wire::ComponentPage>, ProblemResponse> {
    Ok(Json(
        app.back_office.list_components_with_newest_versions(&permit, &page.try_into_page_request()?).await?,
    ))
}

/// The versions of a component, newest first
#[utoipa::path(
    get, path = "/api/v1/components/{name}/versions", tag = "packages",
    params(("name" = String, Path, description = "The component"), PageQuery),
    responses(
        (status = 200, description = "A page of them, with the channels each is visible in", body = ComponentVersionPage),
        (status = 404, description = "There is no such component", body = wire::ProblemDetails),
        (status = 422, description = "`after` is no version of it", body = wire::ProblemDetails),
    )
)]
pub(super) async fn list_component_versions(
    State(app): State<ApiState>,
    permit: UnscopedPermit<Viewer>,
    PathParameters(name): PathParameters<Name>,
    QueryParameters(page): QueryParameters<PageQuery>,
) -> Result<Json<ComponentVersionPage>, ProblemResponse> {
    let limit = extract::checked_page_limit_or_default(page.limit)? as usize;
    let mut items = app.back_office.list_component_versions(&permit, &name).await?;
    if let Some(after) = &page.after {
        let at = items.iter().position(|version| &version.version == after).ok_or_else(|| {
            ProblemResponse::unprocessable_entity(format!(
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
