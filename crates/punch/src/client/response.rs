//! Reads responses with a size limit and without terminal control characters.

use model::{fault::Fault, wire::ProblemDetails};
use serde::de::DeserializeOwned;
use ureq::{Body, http::Response};

use super::{ClientError, MAX_RESPONSE_BYTES};

/// The largest error response read, in bytes: a change of a whole estate can have many faults.
const MAX_PROBLEM_BYTES: u64 = 4 * 1024 * 1024;
/// The number of faults kept of an error response.
const MAX_FAULTS: usize = 1_000;

/// The text of an answer.
pub(super) fn text(url: &str, response: &mut Response<Body>) -> Result<String, ClientError> {
    let body = response.body_mut().with_config().limit(MAX_RESPONSE_BYTES).read_to_string();
    body.map_err(|error| ClientError::from_ureq(url, &error))
}

/// The JSON of an answer.
pub(super) fn json<T: DeserializeOwned>(url: &str, response: &mut Response<Body>) -> Result<T, ClientError> {
    let text = text(url, response)?;
    serde_json::from_str(&text).map_err(|error| ClientError::InvalidResponse {
        url: url.to_owned(),
        why: format!("{error} in {}", printable(&text, 120)),
    })
}

/// Reads an error response as problem details.
pub(super) fn problem(url: &str, response: &mut Response<Body>) -> ClientError {
    let status = response.status().as_u16();
    let body =
        response.body_mut().with_config().limit(MAX_PROBLEM_BYTES).read_to_string().unwrap_or_default();
    let (title, detail, faults) = match serde_json::from_str::<ProblemDetails>(&body) {
        Ok(problem) => {
            let faults = problem.faults.into_iter().take(MAX_FAULTS).map(printable_fault).collect();
            (printable(&problem.title, 200), printable(&problem.detail, 8000), faults)
        }
        Err(_) => {
            let reason = response.status().canonical_reason().unwrap_or_default();
            (printable(reason, 200), String::new(), Vec::new())
        }
    };
    ClientError::Refused { url: url.to_owned(), status, title, detail, faults }
}

/// Makes the texts of a fault from the network safe to print.
fn printable_fault(fault: Fault) -> Fault {
    Fault {
        file: fault.file.map(|file| printable(&file, 400)),
        message: printable(&fault.message, 2000),
        hint: fault.hint.map(|hint| printable(&hint, 400)),
        ..fault
    }
}

/// A header of an answer, when it is text.
pub(super) fn header(response: &Response<Body>, name: &str) -> Option<String> {
    Some(response.headers().get(name)?.to_str().ok()?.to_owned())
}

/// Removes control characters from text of the network and cuts it to `most` characters.
pub(crate) fn printable(text: &str, most: usize) -> String {
    text.chars().filter(|c| !c.is_control() || *c == '\n').take(most).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_of_responses_are_removed() {
        assert_eq!(printable("a\u{1b}[2Jb\nc", 100), "a[2Jb\nc");
        assert_eq!(printable(&"x".repeat(500), 3), "xxx");
    }
}
