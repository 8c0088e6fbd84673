//! ETags: a client that polls an unchanged resource is answered with 304.
//!
//! The ETag is a digest of the response body, so that it reveals no more than the body.

use axum::{
    body::{self, Body, Bytes},
    extract::Request,
    http::{HeaderMap, HeaderValue, Method, StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use sha2::{Digest, Sha256};

use super::problem::ProblemResponse;

/// Far above any page of a list.
const LARGEST: usize = 256 * 1024 * 1024;

/// Adds an ETag to every answer to a GET that has none, and answers 304 when it matches `If-None-Match`.
pub(super) async fn add_etag_or_answer_not_modified(request: Request, next: Next) -> Response {
    let asked = (request.method() == Method::GET).then(|| request.headers().clone());
    let response = next.run(request).await;
    let Some(asked) = asked.filter(|_| response.status() == StatusCode::OK) else { return response };
    if response.headers().contains_key(header::ETAG) {
        return response;
    }
    let (mut head, text) = response.into_parts();
    let text: Bytes = match body::to_bytes(text, LARGEST).await {
        Ok(text) => text,
        Err(error) => return ProblemResponse::log_and_hide_internal_error(&error).into_response(),
    };
    let etag = compute_etag(&text);
    if matches_if_none_match(&asked, &etag) {
        return (StatusCode::NOT_MODIFIED, [(header::ETAG, etag)]).into_response();
    }
    head.headers.insert(header::ETAG, etag);
    head.headers.entry(header::CACHE_CONTROL).or_insert(CACHE_CONTROL_PRIVATE_NO_CACHE);
    Response::from_parts(head, Body::from(text))
}

/// Shared caches must not store it.
pub(super) const CACHE_CONTROL_PRIVATE_NO_CACHE: HeaderValue = HeaderValue::from_static("private, no-cache");

/// The tag of a text.
pub(super) fn compute_etag(text: &[u8]) -> HeaderValue {
    quote_etag(&hex::encode(&Sha256::digest(text)[..16]))
}

/// A tag of digits, hexadecimal digits and dashes.
pub(super) fn quote_etag(tag: &str) -> HeaderValue {
    // These are always a header's value.
    HeaderValue::from_str(&format!("\"{tag}\"")).unwrap_or(HeaderValue::from_static("\"\""))
}

/// Whether `If-None-Match` names this ETag.
pub(super) fn matches_if_none_match(headers: &HeaderMap, etag: &HeaderValue) -> bool {
    let asked = headers.get(header::IF_NONE_MATCH).and_then(|value| value.to_str().ok());
    let etag = etag.to_str().unwrap_or_default();
    asked.is_some_and(|asked| asked.split(',').any(|one| one.trim().trim_start_matches("W/") == etag))
}
