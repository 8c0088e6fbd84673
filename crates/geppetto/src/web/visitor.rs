//! Who looks at a page: a person who is logged in. Everybody else is led to where one logs in.

use axum::{
    extract::FromRequestParts,
    http::{Method, StatusCode, request::Parts},
    response::{IntoResponse, Redirect, Response},
};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use sha2::{Digest, Sha256};

use super::{page_error::PageError, page_state::PageState, session_cookie};
use crate::{
    auth::{RequiredAccessLevel, UnscopedPermit},
    backoffice::LoggedInUser,
};

/// A person who is logged in.
#[derive(Debug, Clone)]
pub(super) struct Visitor {
    pub(super) user: LoggedInUser,
    /// What forms of this session send along: it follows from the session's secret, and does not give that away.
    pub(super) form_token: String,
}

impl Visitor {
    /// The permit of this level.
    pub(super) fn require_access_level_somewhere<L: RequiredAccessLevel>(
        &self,
    ) -> Result<UnscopedPermit<L>, PageError> {
        Ok(self.user.principal.clone().require_access_level_somewhere()?)
    }
}

impl FromRequestParts<PageState> for Visitor {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, state: &PageState) -> Result<Self, Response> {
        let secret = session_cookie::session_secret_of_request(&parts.headers, state.is_reached_by_tls());
        if let Some(secret) = secret {
            let user = state.back_office.authenticate_session(secret).await;
            if let Some(user) = user.map_err(|error| PageError::from(error).into_response())? {
                return Ok(Self { user, form_token: form_token_of_session(secret) });
            }
        }
        if parts.method != Method::GET {
            return Err(PageError::new(
                StatusCode::FORBIDDEN,
                "You are not logged in any more",
                "Nothing was changed. Log in in another tab, then send this form again.",
            )
            .into_response());
        }
        let wanted = parts.uri.path_and_query().map_or("/", |path| path.as_str());
        let log_in = match wanted {
            "/" => "/log-in".to_owned(),
            wanted => format!("/log-in?next={}", utf8_percent_encode(wanted, NON_ALPHANUMERIC)),
        };
        Err(Redirect::to(&log_in).into_response())
    }
}

fn form_token_of_session(secret: &str) -> String {
    hex::encode(Sha256::digest(format!("forms of {secret}").as_bytes()))
}
