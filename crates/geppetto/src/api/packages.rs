//! Packages and channels: upload, publish, promote, and what there is.

use axum::{
    Json,
    body::Body,
    extract::State,
    http::{HeaderMap, StatusCode, header},
};
use model::{
    name::Name,
    wire::{self, Promotion, Publication, Published, Received, Versions},
};

use super::{
    App, extract,
    extract::{Allowed, Developer, Page, Path, Query, Viewer},
    objects::{Cut, cut},
    problem::Problem,
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
        (status = 201, description = "It is received", body = Received),
        (status = 409, description = "The repository has other bytes under this name", body = wire::Problem),
        (status = 413, description = "It is too large", body = wire::Problem),
        (status = 422, description = "It is no package, or not signed by a trusted key", body = wire::Problem),
    )
)]
pub(super) async fn receive(
    State(app): State<App>,
    Allowed { caller, .. }: Allowed<Developer>,
    Path(file): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Result<(StatusCode, Json<Received>), Problem> {
    let limit = app.max_package_bytes;
    let announced =
        headers.get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    if announced.is_some_and(|announced| announced > limit) {
        return Err(Problem::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            "too-large",
            "What was sent is too large",
            format!(
                "{file} is larger than the {limit} bytes a package may have here; an operator can raise that \
                 (`geppetto serve --max-package-size`)"
            ),
        ));
    }
    let (reader, pump) = upload::bridge(body);
    let actor = caller.actor();
    let (received, ()) = tokio::join!(app.office.receive(reader, &file, limit, &actor), pump);
    Ok((StatusCode::CREATED, Json(received?)))
}

/// Make received packages visible in a channel, all or none
#[utoipa::path(
    post, path = "/api/v1/channels/{channel}/publications", tag = "packages", request_body = Publication,
    params(("channel" = String, Path, description = "The channel; it is made if it is new")),
    responses(
        (status = 200, description = "They are visible", body = Published),
        (status = 409, description = "They cannot be visible like this", body = wire::Problem),
    )
)]
pub(super) async fn publish(
    State(app): State<App>,
    Allowed { caller, .. }: Allowed<Developer>,
    Path(channel): Path<Name>,
    extract::Json(publication): extract::Json<Publication>,
) -> Result<Json<Published>, Problem> {
    Ok(Json(app.office.publish(&channel, publication.files, &caller.actor()).await?))
}

/// Make a version, and what it requires, visible in one more channel
#[utoipa::path(
    post, path = "/api/v1/promotions", tag = "packages", request_body = Promotion,
    responses(
        (status = 200, description = "They are visible", body = Published),
        (status = 404, description = "There is no such version or channel", body = wire::Problem),
        (status = 409, description = "Something it requires is missing", body = wire::Problem),
    )
)]
pub(super) async fn promote(
    State(app): State<App>,
    Allowed { caller, .. }: Allowed<Developer>,
    extract::Json(promotion): extract::Json<Promotion>,
) -> Result<Json<Published>, Problem> {
    Ok(Json(app.office.promote(&promotion, &caller.actor()).await?))
}

/// All channels
#[utoipa::path(
    get, path = "/api/v1/channels", tag = "packages", params(Page),
    responses((status = 200, description = "A page of them", body = wire::Channels))
)]
pub(super) async fn channels(
    State(app): State<App>,
    _caller: Allowed<Viewer>,
    Query(page): Query<Page>,
) -> Result<Json<wire::Channels>, Problem> {
    let catalog = app.office.catalog().await?;
    let all = catalog.channels.iter().map(|(name, components)| (name.as_str(), components.len()));
    let Cut { items, next } = cut(all, &page)?;
    let items = items
        .into_iter()
        .map(|(name, components)| wire::ChannelSummary { name: name.to_owned(), components })
        .collect();
    Ok(Json(wire::Channels { items, next }))
}

/// All components of the repository
#[utoipa::path(
    get, path = "/api/v1/components", tag = "packages", params(Page),
    responses((status = 200, description = "A page of them", body = wire::ComponentList))
)]
pub(super) async fn components(
    State(app): State<App>,
    _caller: Allowed<Viewer>,
    Query(page): Query<Page>,
) -> Result<Json<wire::ComponentList>, Problem> {
    let catalog = app.office.catalog().await?;
    let newest = catalog
        .components
        .iter()
        .filter_map(|(name, versions)| Some((name.as_str(), (name, versions.values().next_back()?))));
    let Cut { items: found, next } = cut(newest, &page)?;
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
    Ok(Json(wire::ComponentList { items, next }))
}

/// The versions of a component, newest first
#[utoipa::path(
    get, path = "/api/v1/components/{name}/versions", tag = "packages",
    params(("name" = String, Path, description = "The component"), Page),
    responses(
        (status = 200, description = "A page of them, with the channels each is visible in", body = Versions),
        (status = 404, description = "There is no such component", body = wire::Problem),
    )
)]
pub(super) async fn versions(
    State(app): State<App>,
    _caller: Allowed<Viewer>,
    Path(name): Path<Name>,
    Query(page): Query<Page>,
) -> Result<Json<Versions>, Problem> {
    let limit = extract::limit(page.limit)? as usize;
    let mut items = app.office.versions(&name).await?;
    if let Some(after) = &page.after {
        let at = items.iter().position(|version| &version.version == after).ok_or_else(|| {
            Problem::bad_request(format!(
                "`after` is `{after}`, which is no version of {name}: use `next` as it came"
            ))
        })?;
        items.drain(..=at);
    }
    let more = items.len() > limit;
    items.truncate(limit);
    let next = items.last().filter(|_| more).map(|last| last.version.clone());
    Ok(Json(Versions { items, next }))
}
