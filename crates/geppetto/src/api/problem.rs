//! Errors of the API as problem details (RFC 9457).

use axum::{
    Json,
    extract::{Request, rejection},
    http::{HeaderValue, StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use model::{fault::Fault, wire};

use crate::{backoffice::BackOfficeError, command_error::join_error_and_sources, store::StoreError};

const CONTENT_TYPE: HeaderValue = HeaderValue::from_static("application/problem+json");

/// A refusal.
#[derive(Debug, Clone)]
pub(crate) struct ProblemResponse {
    status: StatusCode,
    kind: &'static str,
    title: &'static str,
    detail: String,
    faults: Vec<Fault>,
    /// After how many seconds it is worth trying again.
    retry_after: Option<u32>,
}

impl ProblemResponse {
    /// A refusal of this sort.
    pub(crate) fn new(
        status: StatusCode,
        kind: &'static str,
        title: &'static str,
        detail: impl Into<String>,
    ) -> Self {
        Self { status, kind, title, detail: detail.into(), faults: Vec::new(), retry_after: None }
    }

    /// The request is malformed.
    pub(crate) fn bad_request(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "bad-request", "Bad request", detail)
    }

    /// The request is well formed, and what it asks for is refused.
    pub(crate) fn unprocessable_entity(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, "refused", "The request was refused", detail)
    }

    /// The resource does not exist.
    pub(crate) fn not_found(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not-found", "Not found", detail)
    }

    /// The request is not authenticated.
    pub(crate) fn unauthorized_problem(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "unauthorized", "Authentication required", detail)
    }

    /// The principal lacks the required grant.
    pub(crate) fn forbidden_problem(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, "forbidden", "Not allowed", detail)
    }

    /// The principal asks for more than its share at once.
    pub(super) fn too_many_requests(retry_after: u32, detail: impl Into<String>) -> Self {
        let refusal =
            Self::new(StatusCode::TOO_MANY_REQUESTS, "too-many", "Too many requests at once", detail);
        Self { retry_after: Some(retry_after), ..refusal }
    }

    /// The client sends its request too slowly.
    pub(super) fn too_slow(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::REQUEST_TIMEOUT, "timeout", "Request timed out", detail)
    }

    /// An internal error. The details are logged and not sent to the client.
    pub(crate) fn log_and_hide_internal_error(error: &(dyn std::error::Error + 'static)) -> Self {
        let cause = join_error_and_sources(error);
        tracing::error!(error = %cause, "a request failed");
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "internal",
            "The control plane failed",
            "the control plane failed to do this and wrote the reason to its log; ask its operator to look there",
        )
    }
}

impl ProblemResponse {
    /// The control plane's disk is full. The log has the details.
    fn disk_full(error: &(dyn std::error::Error + 'static)) -> Self {
        tracing::error!(error = %join_error_and_sources(error), "a request failed: the disk is full");
        Self::new(
            StatusCode::INSUFFICIENT_STORAGE,
            "disk-full",
            "The control plane's disk is full",
            "nothing was changed: the control plane has no room left on its disk. Free some (`punch \
             repository retain --keep N` removes old versions), then try again",
        )
    }

    /// Adds the faults of what was sent.
    fn with_faults(mut self, faults: Vec<Fault>) -> Self {
        self.faults = faults;
        self
    }
}

impl IntoResponse for ProblemResponse {
    fn into_response(self) -> Response {
        let body = wire::ProblemDetails {
            kind: self.kind.to_owned(),
            title: self.title.to_owned(),
            status: self.status.as_u16(),
            detail: self.detail,
            faults: self.faults,
        };
        let mut response = (self.status, Json(body)).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, CONTENT_TYPE);
        if let Some(seconds) = self.retry_after {
            headers.insert(header::RETRY_AFTER, seconds.into());
        }
        if self.status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}

impl From<StoreError> for ProblemResponse {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Overtaken { .. } => Self::new(
                StatusCode::CONFLICT,
                "overtaken",
                "The data changed meanwhile",
                format!("{error}; look at what changed and send the change again"),
            ),
            StoreError::NameTaken(_) => Self::new(
                StatusCode::CONFLICT,
                "name-taken",
                "The name is taken",
                format!("{error}; choose another one or revoke that token first"),
            ),
            StoreError::UserNameTaken(_) => {
                Self::new(StatusCode::CONFLICT, "name-taken", "The name is taken", error.to_string())
            }
            other if other.is_disk_full() => Self::disk_full(&other),
            other if other.is_temporary() => {
                tracing::warn!(error = %join_error_and_sources(&other), "a request failed: the database is busy");
                Self::new(
                    StatusCode::SERVICE_UNAVAILABLE,
                    "database-busy",
                    "The database is busy",
                    "nothing was changed: the database of the control plane is locked or cannot be reached; try again in a moment",
                )
            }
            other => Self::log_and_hide_internal_error(&other),
        }
    }
}

impl From<BackOfficeError> for ProblemResponse {
    fn from(error: BackOfficeError) -> Self {
        match error {
            BackOfficeError::Unknown { .. } | BackOfficeError::Absent(_) => {
                Self::not_found(error.to_string())
            }
            BackOfficeError::Denied(denied) => Self::forbidden_problem(denied.to_string()),
            BackOfficeError::Refused(detail) => Self::unprocessable_entity(detail),
            BackOfficeError::Invalid(faults) => {
                let detail = BackOfficeError::Invalid(faults.clone()).to_string();
                Self::unprocessable_entity(detail).with_faults(faults)
            }
            BackOfficeError::Unresolvable { ref faults, .. } => {
                let faults = faults.clone();
                Self::new(StatusCode::CONFLICT, "conflict", "Conflict", error.to_string()).with_faults(faults)
            }
            BackOfficeError::DiskFull(_) => Self::disk_full(&error),
            BackOfficeError::Conflict(detail) => {
                Self::new(StatusCode::CONFLICT, "conflict", "Conflict", detail)
            }
            BackOfficeError::TooLarge(detail) => {
                Self::new(StatusCode::PAYLOAD_TOO_LARGE, "too-large", "Request too large", detail)
            }
            BackOfficeError::Store(error) => error.into(),
            BackOfficeError::Broken(_) | BackOfficeError::Damaged(_) => {
                Self::log_and_hide_internal_error(&error)
            }
        }
    }
}

impl From<rejection::JsonRejection> for ProblemResponse {
    fn from(error: rejection::JsonRejection) -> Self {
        let kind = match error.status() {
            StatusCode::UNPROCESSABLE_ENTITY => ("wrong-shape", "The JSON does not match the schema"),
            StatusCode::UNSUPPORTED_MEDIA_TYPE => ("not-json", "The body is not declared as JSON"),
            StatusCode::PAYLOAD_TOO_LARGE => ("too-large", "Request too large"),
            _ => ("bad-json", "The body is not JSON"),
        };
        let detail = format!("{}; /api/v1/openapi.json describes the shape", error.body_text());
        Self::new(error.status(), kind.0, kind.1, detail)
    }
}

/// So much is shown of a path that leads nowhere, in characters.
const SHOWN_PATH_CHARACTERS: usize = 200;

impl From<rejection::PathRejection> for ProblemResponse {
    /// A path with a name that nothing can have leads nowhere. What was sent is not sent back whole.
    fn from(error: rejection::PathRejection) -> Self {
        let text = error.body_text();
        let shown = match text.char_indices().nth(SHOWN_PATH_CHARACTERS) {
            Some((end, _)) => format!("{}...", &text[..end]),
            None => text,
        };
        Self::not_found(format!("there is nothing at this address: {shown}"))
    }
}

impl From<rejection::QueryRejection> for ProblemResponse {
    fn from(error: rejection::QueryRejection) -> Self {
        Self::bad_request(error.body_text())
    }
}

/// Gives refusals that come from below the handlers (unknown paths, wrong methods, timeouts) the same form.
pub(super) async fn convert_error_responses_to_problems(request: Request, next: Next) -> Response {
    let path: String = request.uri().path().chars().take(200).collect();
    let method = request.method().clone();
    let response = next.run(request).await;
    let status = response.status();
    let content_type = response.headers().get(header::CONTENT_TYPE);
    let is_problem = content_type == Some(&CONTENT_TYPE);
    let is_page = content_type.is_some_and(|value| value.as_bytes().starts_with(b"text/html"));
    if !(status.is_client_error() || status.is_server_error()) || is_problem || is_page {
        return response;
    }
    let problem = match status {
        StatusCode::NOT_FOUND => ProblemResponse::not_found(format!(
            "nothing is at {path}; /api/v1/openapi.json lists the API, packages are under /repository/CHANNEL/"
        )),
        StatusCode::METHOD_NOT_ALLOWED => ProblemResponse::new(
            status,
            "wrong-method",
            "The method is not allowed here",
            format!(
                "{path} does not answer {method}; the Allow header and /api/v1/openapi.json say what it answers"
            ),
        ),
        StatusCode::REQUEST_TIMEOUT => ProblemResponse::new(
            status,
            "timeout",
            "Request timed out",
            "the request was not done in time; try again, and look at the control plane's load if it happens again",
        ),
        StatusCode::RANGE_NOT_SATISFIABLE => ProblemResponse::new(
            status,
            "wrong-range",
            "The range is not in the file",
            format!("{path} is shorter than the range asked for; fetch it again from its beginning"),
        ),
        _ => ProblemResponse::new(
            status,
            "refused",
            "The request was refused",
            status.canonical_reason().unwrap_or("the request was refused").to_lowercase(),
        ),
    };
    let mut refused = problem.into_response();
    // Headers of the original response (Allow, Content-Range) are kept.
    for name in [header::ALLOW, header::CONTENT_RANGE] {
        if let Some(value) = response.headers().get(&name) {
            refused.headers_mut().insert(name, value.clone());
        }
    }
    refused
}
