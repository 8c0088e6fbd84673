//! Forms that people send. Those of another site are refused before they are read.

use axum::{
    Form,
    extract::{FromRequest, FromRequestParts, Request},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::{Deserialize, de::DeserializeOwned};
use subtle::ConstantTimeEq as _;

use super::{page_error::PageError, page_state::PageState, visitor::Visitor};

/// A form from one of our own pages, of a person who is not logged in.
pub(super) struct OpenForm<T>(pub(super) T);

/// A form from one of our own pages, of a person who is logged in.
pub(super) struct VisitorForm<T> {
    pub(super) visitor: Visitor,
    pub(super) fields: T,
}

#[derive(Deserialize)]
struct WithToken<T> {
    #[serde(default)]
    form_token: String,
    #[serde(flatten)]
    fields: T,
}

impl<T: DeserializeOwned> FromRequest<PageState> for OpenForm<T> {
    type Rejection = Response;

    async fn from_request(request: Request, state: &PageState) -> Result<Self, Response> {
        require_own_origin(request.headers()).map_err(PageError::into_response)?;
        let form = Form::<T>::from_request(request, state).await;
        form.map(|Form(fields)| Self(fields)).map_err(|_| unreadable_form().into_response())
    }
}

impl<T: DeserializeOwned> FromRequest<PageState> for VisitorForm<T> {
    type Rejection = Response;

    async fn from_request(request: Request, state: &PageState) -> Result<Self, Response> {
        require_own_origin(request.headers()).map_err(PageError::into_response)?;
        let (mut parts, body) = request.into_parts();
        let visitor = Visitor::from_request_parts(&mut parts, state).await?;
        let form = Form::<WithToken<T>>::from_request(Request::from_parts(parts, body), state).await;
        let Form(WithToken { form_token, fields }) = form.map_err(|_| unreadable_form().into_response())?;
        match form_token.as_bytes().ct_eq(visitor.form_token.as_bytes()).into() {
            true => Ok(Self { visitor, fields }),
            false => Err(foreign_form().into_response()),
        }
    }
}

/// Refuses what a browser sends on behalf of another site. A browser says from which it comes (Fetch Metadata, or RFC 6454).
fn require_own_origin(headers: &HeaderMap) -> Result<(), PageError> {
    let text = |name| headers.get(name).and_then(|value: &axum::http::HeaderValue| value.to_str().ok());
    let is_own = match (text("sec-fetch-site"), text("origin"), text(header::HOST.as_str())) {
        (Some(site), _, _) => site == "same-origin" || site == "none",
        (None, Some(origin), Some(host)) => {
            origin.split_once("://").is_some_and(|(_, authority)| authority.eq_ignore_ascii_case(host))
        }
        _ => false,
    };
    if is_own { Ok(()) } else { Err(foreign_form()) }
}

fn foreign_form() -> PageError {
    PageError::new(
        StatusCode::FORBIDDEN,
        "This form does not come from this page",
        "Nothing was changed. It was sent by another site, or is older than your last log-in: open the page again and \
         send the form from there. Programs use the API under /api/v1.",
    )
}

fn unreadable_form() -> PageError {
    PageError::new(
        StatusCode::UNPROCESSABLE_ENTITY,
        "This form cannot be read",
        "Nothing was changed. A field is missing or too long; open the page again and send the form from there.",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn form_of_another_site_or_of_no_browser_is_refused() {
        let accepted = |pairs: &[(&'static str, &'static str)]| {
            let headers = pairs.iter().map(|(name, value)| {
                (name.parse::<axum::http::HeaderName>().unwrap(), value.parse().unwrap())
            });
            require_own_origin(&headers.collect()).is_ok()
        };
        assert!(accepted(&[("sec-fetch-site", "same-origin")]));
        assert!(!accepted(&[("sec-fetch-site", "cross-site"), ("origin", "https://here"), ("host", "here")]));
        assert!(!accepted(&[("sec-fetch-site", "same-site")]));
        assert!(accepted(&[("origin", "https://here:8700"), ("host", "here:8700")]));
        assert!(!accepted(&[("origin", "https://evil"), ("host", "here:8700")]));
        assert!(!accepted(&[("origin", "null"), ("host", "here:8700")]));
        assert!(!accepted(&[("host", "here:8700")]));
    }
}
