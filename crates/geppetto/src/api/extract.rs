//! Extractors of handlers: the principal, and bodies, paths and queries whose rejections are problem documents.

use std::sync::Arc;

use axum::{
    extract::{FromRequest, FromRequestParts},
    http::{HeaderMap, header, request::Parts},
};
use model::name::ServerName;
use serde::{Deserialize, Deserializer, de::Error as _};
use tokio::sync::OwnedSemaphorePermit;

use super::{ApiState, principal_slots::PrincipalSlot, problem::ProblemResponse};
use crate::{
    auth::{Principal, RequiredAccessLevel, UnscopedPermit},
    backoffice::PageRequest,
};

/// A body of JSON.
#[derive(FromRequest)]
#[from_request(via(axum::Json), rejection(ProblemResponse))]
pub(super) struct JsonBody<T>(pub T);

/// Parameters of the path.
#[derive(FromRequestParts)]
#[from_request(via(axum::extract::Path), rejection(ProblemResponse))]
pub(super) struct PathParameters<T>(pub T);

/// Parameters of the query.
#[derive(FromRequestParts)]
#[from_request(via(axum::extract::Query), rejection(ProblemResponse))]
pub(super) struct QueryParameters<T>(pub T);

/// The peer of a connection through the Unix socket, as the kernel names it. A request over TCP has none.
#[derive(Debug, Clone, Copy)]
pub(crate) struct UnixSocketPeer {
    /// Its user number.
    pub(crate) uid: u32,
}

impl FromRequestParts<ApiState> for Principal {
    type Rejection = ProblemResponse;

    async fn from_request_parts(parts: &mut Parts, app: &ApiState) -> Result<Self, ProblemResponse> {
        let secret = match find_bearer_secret(&parts.headers)? {
            Some(secret) => secret,
            None => match parts.extensions.get::<UnixSocketPeer>() {
                Some(peer) => return Ok(Principal::LocalAdministrator { uid: peer.uid }),
                None => {
                    return Err(ProblemResponse::unauthorized_problem(
                        "this needs a token: send `Authorization: Bearer TOKEN`; an administrator creates one with \
                         `punch token create NAME --grant LEVEL`",
                    ));
                }
            },
        };
        let principal = app.back_office.authenticate_bearer_secret(secret).await?.ok_or_else(|| {
            ProblemResponse::unauthorized_problem(
                "the token is not known, has expired or was revoked: a person asks an administrator for a new one \
                 (`punch token create`), a server joins again (`punch server join-token SERVER`, then `punch join`)",
            )
        })?;
        if let Principal::Server(server) = &principal
            && !app.back_office.has_server(server).await?
        {
            return Err(ProblemResponse::unauthorized_problem(format!(
                "the server {server} is not in the estate any more, and its credential opens nothing; to take it \
                 back, import servers/{server}.yaml, then join again"
            )));
        }
        Ok(principal)
    }
}

/// The secret of the Authorization header, if there is one.
pub(super) fn find_bearer_secret(headers: &HeaderMap) -> Result<Option<&str>, ProblemResponse> {
    let Some(value) = headers.get(header::AUTHORIZATION) else { return Ok(None) };
    let parts = value.to_str().ok().and_then(|value| value.split_once(' '));
    match parts.filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer")) {
        Some((_, secret)) => Ok(Some(secret.trim())),
        None => Err(ProblemResponse::unauthorized_problem(
            "the Authorization header is not of the form `Bearer TOKEN`; no other form is known here",
        )),
    }
}

impl<L: RequiredAccessLevel> FromRequestParts<ApiState> for UnscopedPermit<L> {
    type Rejection = ProblemResponse;

    async fn from_request_parts(parts: &mut Parts, app: &ApiState) -> Result<Self, ProblemResponse> {
        let principal = Principal::from_request_parts(parts, app).await?;
        principal
            .require_access_level_somewhere()
            .map_err(|denied| ProblemResponse::forbidden_problem(denied.to_string()))
    }
}

/// A permit that holds everywhere: who has none is refused before the body is read.
pub(super) struct PermitHeldEverywhere<L>(pub UnscopedPermit<L>);

impl<L: RequiredAccessLevel> FromRequestParts<ApiState> for PermitHeldEverywhere<L> {
    type Rejection = ProblemResponse;

    async fn from_request_parts(parts: &mut Parts, app: &ApiState) -> Result<Self, ProblemResponse> {
        let permit = UnscopedPermit::from_request_parts(parts, app).await?;
        permit
            .require_grant_everywhere()
            .map_err(|denied| ProblemResponse::forbidden_problem(denied.to_string()))?;
        Ok(Self(permit))
    }
}

/// A server that asks for itself at an address below `/servers/{server}`: others are refused before the body is read.
pub(super) struct AuthenticatedServerInPath {
    pub(super) principal: Principal,
    pub(super) server: ServerName,
}

impl FromRequestParts<ApiState> for AuthenticatedServerInPath {
    type Rejection = ProblemResponse;

    async fn from_request_parts(parts: &mut Parts, app: &ApiState) -> Result<Self, ProblemResponse> {
        let principal = Principal::from_request_parts(parts, app).await?;
        let PathParameters(server) = PathParameters::<ServerName>::from_request_parts(parts, app).await?;
        principal
            .require_to_be_this_server(&server)
            .map_err(|denied| ProblemResponse::forbidden_problem(denied.to_string()))?;
        Ok(Self { principal, server })
    }
}

/// A place among the few large bodies that are held at once.
///
/// To be taken after the caller is known and before the body is read.
pub(super) struct LargeBodyMemorySlot {
    _of_principal: PrincipalSlot,
    _place: OwnedSemaphorePermit,
}

impl FromRequestParts<ApiState> for LargeBodyMemorySlot {
    type Rejection = ProblemResponse;

    async fn from_request_parts(parts: &mut Parts, app: &ApiState) -> Result<Self, ProblemResponse> {
        // One that sends slowly, or is refused after a long time, leaves places for others.
        let principal = Principal::from_request_parts(parts, app).await?;
        let _of_principal = app.large_body_slots.acquire_slot(principal.audit_actor()).await?;
        let place = Arc::clone(&app.large_bodies).acquire_owned().await;
        // The semaphore is never closed.
        let _place = place.map_err(|error| ProblemResponse::log_and_hide_internal_error(&error))?;
        Ok(Self { _of_principal, _place })
    }
}

/// What part of a list is asked for.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct PageQuery {
    /// How many items at most: 1 to 1000, 100 if absent.
    #[param(minimum = 1, maximum = 1000)]
    pub(crate) limit: Option<u32>,
    /// The `next` of the page before.
    pub(crate) after: Option<String>,
}

/// What part of a history is asked for.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct HistoryPageQuery {
    /// How many items at most: 1 to 1000, 100 if absent.
    #[param(minimum = 1, maximum = 1000)]
    pub(crate) limit: Option<u32>,
    /// Only items older than this number; the `next` of the page before.
    #[serde(default, deserialize_with = "deserialize_row_number")]
    pub(crate) before: Option<u64>,
}

/// Rows are numbered up to what a signed number of 64 bits holds.
fn deserialize_row_number<'de, D: Deserializer<'de>>(number: D) -> Result<Option<u64>, D::Error> {
    let number = Option::<u64>::deserialize(number)?;
    match number.is_some_and(|number| i64::try_from(number).is_err()) {
        true => Err(D::Error::custom(format!("numbers go up to {}", i64::MAX))),
        false => Ok(number),
    }
}

impl PageQuery {
    /// The page, if its size is allowed.
    pub(super) fn try_into_page_request(self) -> Result<PageRequest, ProblemResponse> {
        Ok(PageRequest { limit: checked_page_limit_or_default(self.limit)?, after: self.after })
    }
}

/// How many items a page has.
pub(super) fn checked_page_limit_or_default(asked: Option<u32>) -> Result<u32, ProblemResponse> {
    match asked {
        None => Ok(100),
        Some(limit @ 1..=1000) => Ok(limit),
        Some(other) => Err(ProblemResponse::bad_request(format!(
            "`limit` is {other}; it can be 1 to 1000, follow `next` for more"
        ))),
    }
}
