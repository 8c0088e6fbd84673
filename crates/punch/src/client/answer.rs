//! Reading answers: bounded, and never trusted with the terminal.

use model::wire::ProblemDetails;
use serde::de::DeserializeOwned;
use ureq::{Body, http::Response};

use super::{ClientError, MAX_ANSWER};

/// The text of an answer.
pub(super) fn text(url: &str, response: &mut Response<Body>) -> Result<String, ClientError> {
    let body = response.body_mut().with_config().limit(MAX_ANSWER).read_to_string();
    body.map_err(|error| ClientError::from_ureq(url, &error))
}

/// The JSON of an answer.
pub(super) fn json<T: DeserializeOwned>(url: &str, response: &mut Response<Body>) -> Result<T, ClientError> {
    let text = text(url, response)?;
    serde_json::from_str(&text).map_err(|error| ClientError::Strange {
        url: url.to_owned(),
        why: format!("{error} in {}", printable(&text, 120)),
    })
}

/// What a refusal says about itself.
pub(super) fn problem(url: &str, response: &mut Response<Body>) -> ClientError {
    let status = response.status().as_u16();
    let body = response.body_mut().with_config().limit(64 * 1024).read_to_string().unwrap_or_default();
    let (title, detail) = match serde_json::from_str::<ProblemDetails>(&body) {
        Ok(problem) => (printable(&problem.title, 200), printable(&problem.detail, 8000)),
        Err(_) => (printable(response.status().canonical_reason().unwrap_or_default(), 200), String::new()),
    };
    ClientError::Refused { url: url.to_owned(), status, title, detail }
}

/// A header of an answer, when it is text.
pub(super) fn header(response: &Response<Body>, name: &str) -> Option<String> {
    Some(response.headers().get(name)?.to_str().ok()?.to_owned())
}

/// What a stranger says, without control characters and not longer than `most` characters.
pub(crate) fn printable(text: &str, most: usize) -> String {
    text.chars().filter(|c| !c.is_control() || *c == '\n').take(most).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stranger_cannot_move_the_cursor() {
        assert_eq!(printable("a\u{1b}[2Jb\nc", 100), "a[2Jb\nc");
        assert_eq!(printable(&"x".repeat(500), 3), "xxx");
    }
}
