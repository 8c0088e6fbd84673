//! Refusals, as pages.

use askama::Template;
use axum::{
    http::StatusCode,
    response::{Html, IntoResponse, Response},
};

use crate::{
    auth::AccessDenied, backoffice::BackOfficeError, command_error::join_error_and_sources, store::StoreError,
};

/// Why a page is not shown.
#[derive(Debug)]
pub(super) struct PageError {
    status: StatusCode,
    title: &'static str,
    detail: String,
}

#[derive(Template)]
#[template(path = "pages/error.html")]
struct ErrorTemplate<'a> {
    title: &'a str,
    detail: &'a str,
    version: &'static str,
}

impl PageError {
    pub(super) fn new(status: StatusCode, title: &'static str, detail: impl Into<String>) -> Self {
        Self { status, title, detail: detail.into() }
    }

    /// For an address that has no page.
    pub(super) fn no_such_page() -> Self {
        Self::new(
            StatusCode::NOT_FOUND,
            "There is no such page",
            "The address is wrong, or what it was about is gone. The overview leads to all pages.",
        )
    }
}

/// The page for an address that has none.
pub(crate) fn no_such_page_response() -> Response {
    PageError::no_such_page().into_response()
}

impl From<BackOfficeError> for PageError {
    fn from(error: BackOfficeError) -> Self {
        use BackOfficeError as E;
        let (status, title) = match &error {
            E::Unknown { .. } | E::Absent(_) => (StatusCode::NOT_FOUND, "It is not there"),
            E::Denied(_) => (StatusCode::FORBIDDEN, "You may not do this"),
            E::Refused(_) | E::Invalid(_) | E::TooLarge(_) => {
                (StatusCode::UNPROCESSABLE_ENTITY, "This cannot be done")
            }
            E::Unresolvable { .. } | E::Conflict(_) => (StatusCode::CONFLICT, "This cannot be done now"),
            E::Store(StoreError::UserNameTaken(_)) => (StatusCode::CONFLICT, "The name is taken"),
            _ => {
                tracing::error!(error = %join_error_and_sources(&error), "a page cannot be shown");
                return Self::new(
                    StatusCode::INTERNAL_SERVER_ERROR,
                    "Something is broken here",
                    "The log of the control plane says what. Try again; if it stays, tell an administrator.",
                );
            }
        };
        Self::new(status, title, error.to_string())
    }
}

impl From<AccessDenied> for PageError {
    fn from(denied: AccessDenied) -> Self {
        Self::new(StatusCode::FORBIDDEN, "You may not see this", denied.to_string())
    }
}

impl From<askama::Error> for PageError {
    fn from(error: askama::Error) -> Self {
        tracing::error!(%error, "a page cannot be rendered");
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "Something is broken here",
            "The log of the control plane says what.",
        )
    }
}

impl IntoResponse for PageError {
    fn into_response(self) -> Response {
        let page =
            ErrorTemplate { title: self.title, detail: &self.detail, version: env!("CARGO_PKG_VERSION") };
        // It writes into a text and reads nothing that can fail.
        (self.status, Html(page.render().unwrap_or_default())).into_response()
    }
}
