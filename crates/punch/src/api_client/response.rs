//! Reads responses with a size limit and without terminal control characters.

use model::{fault::Fault, wire::ProblemDetails};
use serde::de::DeserializeOwned;
use ureq::{Body, http::Response};

use super::{ApiClientError, MAX_RESPONSE_BYTES};

/// The largest error response read, in bytes: a change of a whole estate can have many faults.
const MAX_PROBLEM_BYTES: u64 = 4 * 1024 * 1024;
/// The number of faults kept of an error response.
const MAX_FAULTS: usize = 1_000;

/// The text of an answer.
pub(super) fn read_response_text(url: &str, response: &mut Response<Body>) -> Result<String, ApiClientError> {
    let body = response.body_mut().with_config().limit(MAX_RESPONSE_BYTES).read_to_string();
    body.map_err(|error| ApiClientError::from_ureq_error(url, &error))
}

/// The JSON of an answer.
pub(super) fn read_response_json<T: DeserializeOwned>(
    url: &str,
    response: &mut Response<Body>,
) -> Result<T, ApiClientError> {
    let text = read_response_text(url, response)?;
    serde_json::from_str(&text).map_err(|error| match is_html(response, &text) {
        true => not_control_plane_error(url, response, &text),
        false => ApiClientError::InvalidResponse {
            url: url.to_owned(),
            why: format!("{error} in {}", strip_control_characters_and_shorten(&text, 120)),
        },
    })
}

/// Reads an error response as problem details.
pub(super) fn read_error_response(url: &str, response: &mut Response<Body>) -> ApiClientError {
    let status = response.status().as_u16();
    let body =
        response.body_mut().with_config().limit(MAX_PROBLEM_BYTES).read_to_string().unwrap_or_default();
    let (title, detail, faults) = match serde_json::from_str::<ProblemDetails>(&body) {
        Ok(problem) => {
            let faults = problem.faults.into_iter().take(MAX_FAULTS).map(printable_fault).collect();
            (
                strip_control_characters_and_shorten(&problem.title, 200),
                strip_control_characters_and_shorten(&problem.detail, 8000),
                faults,
            )
        }
        // A proxy before a control plane has error pages of its own, but never for what the API does not have.
        Err(_) if matches!(status, 404 | 405 | 501) => return not_control_plane_error(url, response, &body),
        Err(_) => {
            let reason = response.status().canonical_reason().unwrap_or_default();
            (strip_control_characters_and_shorten(reason, 200), String::new(), Vec::new())
        }
    };
    ApiClientError::Refused { url: url.to_owned(), status, title, detail, faults }
}

/// Whether the answer is a page for people, which the API never sends.
pub(super) fn is_html(response: &Response<Body>, body: &str) -> bool {
    let media_type = response_header_text(response, "content-type").unwrap_or_default();
    let start = body.trim_start().get(..5).unwrap_or_default();
    media_type.to_ascii_lowercase().starts_with("text/html")
        || start.eq_ignore_ascii_case("<html")
        || start.eq_ignore_ascii_case("<!doc")
}

/// The error for an answer that no control plane gives.
pub(super) fn not_control_plane_error(url: &str, response: &Response<Body>, body: &str) -> ApiClientError {
    let status = response.status();
    let kind = match (is_html(response, body), response_header_text(response, "content-type")) {
        (true, _) => "an HTML page".to_owned(),
        (false, Some(media_type)) => strip_control_characters_and_shorten(&media_type, 80),
        (false, None) => "no content type".to_owned(),
    };
    let reason = status.canonical_reason().map(|reason| format!(" {reason}")).unwrap_or_default();
    let server = response_header_text(response, "server")
        .map(|server| format!(", from the server `{}`", strip_control_characters_and_shorten(&server, 80)))
        .unwrap_or_default();
    let seen = format!("status {}{reason} and {kind}{server}", status.as_u16());
    ApiClientError::NotControlPlane { url: url.to_owned(), seen }
}

/// Makes the texts of a fault from the network safe to print.
fn printable_fault(fault: Fault) -> Fault {
    Fault {
        file: fault.file.map(|file| strip_control_characters_and_shorten(&file, 400)),
        message: strip_control_characters_and_shorten(&fault.message, 2000),
        hint: fault.hint.map(|hint| strip_control_characters_and_shorten(&hint, 400)),
        ..fault
    }
}

/// A header of an answer, when it is text.
pub(super) fn response_header_text(response: &Response<Body>, name: &str) -> Option<String> {
    Some(response.headers().get(name)?.to_str().ok()?.to_owned())
}

/// Removes control characters from text of the network and cuts it to `most` characters.
pub(crate) fn strip_control_characters_and_shorten(text: &str, most: usize) -> String {
    text.chars().filter(|c| !c.is_control() || *c == '\n').take(most).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_of_responses_are_removed() {
        assert_eq!(strip_control_characters_and_shorten("a\u{1b}[2Jb\nc", 100), "a[2Jb\nc");
        assert_eq!(strip_control_characters_and_shorten(&"x".repeat(500), 3), "xxx");
    }
}
