//! Extractors of handlers: the principal, and bodies, paths and queries whose rejections are problem documents.

use std::{marker::PhantomData, sync::Arc};

use axum::{
    extract::{FromRequest, FromRequestParts},
    http::{header, request::Parts},
};
use serde::Deserialize;
use tokio::sync::OwnedSemaphorePermit;

use super::{ApiState, problem::ProblemResponse};
use crate::auth::{self, AccessLevel, Principal};

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

impl FromRequestParts<ApiState> for Principal {
    type Rejection = ProblemResponse;

    async fn from_request_parts(parts: &mut Parts, app: &ApiState) -> Result<Self, ProblemResponse> {
        let Some(value) = parts.headers.get(header::AUTHORIZATION) else {
            return Err(ProblemResponse::unauthorized(
                "this needs a token: send `Authorization: Bearer TOKEN`; an operator of the control plane makes \
                 one with `geppetto token create NAME --role ROLE`",
            ));
        };
        let shown = value.to_str().ok().and_then(|value| value.split_once(' '));
        let Some((_, shown)) = shown.filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer")) else {
            return Err(ProblemResponse::unauthorized(
                "the Authorization header is not of the form `Bearer TOKEN`; no other form is known here",
            ));
        };
        let caller =
            auth::authenticate(&app.back_office.store, shown.trim(), app.back_office.clock.now_us()).await?;
        let caller = caller.ok_or_else(|| {
            ProblemResponse::unauthorized(
                "the token is not known, has expired or was revoked: a person asks an operator for a new one \
                 (`geppetto token create`), a server joins again (`geppetto join-token SERVER`, then `punch join`)",
            )
        })?;
        if let Principal::Server(server) = &caller
            && !app.back_office.current_estate().await?.estate.servers.contains_key(server)
        {
            return Err(ProblemResponse::unauthorized(format!(
                "the server {server} is not in the estate any more, and its credential opens nothing; to take it \
                 back, import servers/{server}.yaml, then join again"
            )));
        }
        Ok(caller)
    }
}

/// An access level as a type, so that a handler's signature states who may call it.
pub(super) trait RequiredLevel {
    /// The weakest role allowed.
    const ROLE: AccessLevel;
}

macro_rules! levels {
    ($($(#[$doc:meta])* $name:ident),*) => { $(
        $(#[$doc])*
        pub(super) struct $name;
        impl RequiredLevel for $name {
            const ROLE: AccessLevel = AccessLevel::$name;
        }
    )* };
}
levels!(
    /// May look.
    Viewer,
    /// May publish.
    Developer,
    /// May change what runs where.
    Operator
);

/// A caller that has at least the role `L`.
pub(super) struct Allowed<L> {
    /// Who calls.
    pub caller: Principal,
    level: PhantomData<L>,
}

impl<L: RequiredLevel + Send> FromRequestParts<ApiState> for Allowed<L> {
    type Rejection = ProblemResponse;

    async fn from_request_parts(parts: &mut Parts, app: &ApiState) -> Result<Self, ProblemResponse> {
        let caller = Principal::from_request_parts(parts, app).await?;
        require_level(&caller, L::ROLE)?;
        Ok(Self { caller, level: PhantomData })
    }
}

/// Refuses a caller that has less than this role.
pub(super) fn require_level(caller: &Principal, role: AccessLevel) -> Result<(), ProblemResponse> {
    if caller.has_level(role) {
        return Ok(());
    }
    let who = match caller {
        Principal::Token { name, role } => format!("the token `{name}` has the role {role}"),
        Principal::Server(name) => format!("this is the credential of the server {name}"),
    };
    Err(ProblemResponse::forbidden(format!(
        "this needs the role {role} or more, and {who}; ask an operator to do it"
    )))
}

/// A place among the few large bodies that are held at once.
///
/// To be taken after the caller is known and before the body is read.
pub(super) struct LargeBody {
    _place: OwnedSemaphorePermit,
}

impl FromRequestParts<ApiState> for LargeBody {
    type Rejection = ProblemResponse;

    async fn from_request_parts(_parts: &mut Parts, app: &ApiState) -> Result<Self, ProblemResponse> {
        let place = Arc::clone(&app.large_bodies).acquire_owned().await;
        // The semaphore is never closed.
        let _place = place.map_err(|error| ProblemResponse::internal(&error))?;
        Ok(Self { _place })
    }
}

/// What part of a list is asked for.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct PageQuery {
    /// How many items at most: 1 to 1000, 100 if absent.
    pub limit: Option<u32>,
    /// The `next` of the page before.
    pub after: Option<String>,
}

/// What part of a history is asked for.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct HistoryQuery {
    /// How many items at most: 1 to 1000, 100 if absent.
    pub limit: Option<u32>,
    /// Only items older than this number; the `next` of the page before.
    pub before: Option<u64>,
}

/// How many items a page has.
pub(super) fn limit(asked: Option<u32>) -> Result<u32, ProblemResponse> {
    match asked {
        None => Ok(100),
        Some(limit @ 1..=1000) => Ok(limit),
        Some(other) => Err(ProblemResponse::bad_request(format!(
            "`limit` is {other}; it can be 1 to 1000, follow `next` for more"
        ))),
    }
}
