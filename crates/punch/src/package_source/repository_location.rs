//! Where a repository's files are read from: a web address or a folder. Bytes go to a sink, checked on the way.

use std::{
    fs::File,
    io::{self, Read, Write},
    path::PathBuf,
};

use sha2::{Digest, Sha256};
use ureq::Agent;

use super::FetchDeadline;
use crate::{
    api_client::strip_control_characters_and_shorten, command_error::io_error_reason_text,
    terminal_output::ProgressBar,
};

/// A tree of files.
pub(super) enum RepositoryUrlOrFolder {
    /// Served over HTTP.
    Web {
        /// The HTTP agent.
        agent: Agent,
        /// The address, without a slash at its end.
        base: String,
        /// Until when it is asked.
        deadline: Option<FetchDeadline>,
    },
    /// A folder of this machine.
    Folder(PathBuf),
}

/// Why a file was not read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum RepositoryFileReadError {
    /// It is not there.
    Missing,
    /// The address cannot be reached.
    Unreachable(String),
    /// Anything else.
    Other(String),
}

impl std::fmt::Display for RepositoryUrlOrFolder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            RepositoryUrlOrFolder::Web { base, .. } => f.write_str(base),
            RepositoryUrlOrFolder::Folder(path) => write!(f, "{}", path.display()),
        }
    }
}

impl RepositoryUrlOrFolder {
    /// Reads a small file whole.
    pub(super) fn read_small_text_file(
        &self,
        href: &str,
        most: u64,
    ) -> Result<String, RepositoryFileReadError> {
        let mut bytes = Vec::new();
        self.copy_file_and_digest(href, most, &mut bytes, None)?;
        String::from_utf8(bytes).map_err(|_| RepositoryFileReadError::Other(format!("{href} is not UTF-8")))
    }

    /// Copies a file of at most `most` bytes; its SHA-256, in hexadecimal.
    pub(super) fn copy_file_and_digest(
        &self,
        href: &str,
        most: u64,
        into: &mut impl Write,
        bar: Option<&ProgressBar>,
    ) -> Result<String, RepositoryFileReadError> {
        let reader: Box<dyn Read> = match self {
            RepositoryUrlOrFolder::Folder(folder) => match File::open(folder.join(href)) {
                Ok(file) => Box::new(file),
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    return Err(RepositoryFileReadError::Missing);
                }
                Err(error) => return Err(RepositoryFileReadError::Other(io_error_reason_text(&error))),
            },
            RepositoryUrlOrFolder::Web { agent, base, deadline } => {
                get(agent, &format!("{base}/{}", percent_encode_path(href)), *deadline)?
            }
        };
        // One byte more than allowed distinguishes a file that is too long.
        let copied = copy_hashing(reader.take(most.saturating_add(1)), most, into, bar);
        match (self, copied) {
            (
                RepositoryUrlOrFolder::Web { deadline: Some(deadline), .. },
                Err(RepositoryFileReadError::Unreachable(_)),
            ) if deadline.left().is_none() => Err(RepositoryFileReadError::Unreachable(deadline.message())),
            (_, copied) => copied,
        }
    }
}

fn get(
    agent: &Agent,
    url: &str,
    deadline: Option<FetchDeadline>,
) -> Result<Box<dyn Read>, RepositoryFileReadError> {
    let over = |deadline: FetchDeadline| RepositoryFileReadError::Unreachable(deadline.message());
    let left = match deadline {
        Some(deadline) => Some(deadline.left().ok_or_else(|| over(deadline))?),
        None => None,
    };
    let request = agent.get(url).header("Accept-Encoding", "identity");
    // The whole transfer, its body included, ends in time.
    let response = request.config().timeout_global(left).build().call();
    let response = response.map_err(|error| match deadline.filter(|deadline| deadline.left().is_none()) {
        Some(deadline) => over(deadline),
        None => RepositoryFileReadError::Unreachable(describe_error(&error)),
    })?;
    match response.status().as_u16() {
        200 => Ok(Box::new(response.into_body().into_reader())),
        404 | 410 => Err(RepositoryFileReadError::Missing),
        status @ 500.. => {
            Err(RepositoryFileReadError::Unreachable(format!("it answered with status {status}")))
        }
        status => Err(RepositoryFileReadError::Other(format!(
            "{} answered with status {status}",
            strip_control_characters_and_shorten(url, 200)
        ))),
    }
}

/// Describes a ureq error like the API client does.
fn describe_error(error: &ureq::Error) -> String {
    match crate::api_client::ApiClientError::from_ureq_error("", error) {
        crate::api_client::ApiClientError::Unreachable { why, .. }
        | crate::api_client::ApiClientError::InvalidResponse { why, .. } => why,
        other => other.to_string(),
    }
}

fn copy_hashing(
    mut from: impl Read,
    most: u64,
    into: &mut impl Write,
    bar: Option<&ProgressBar>,
) -> Result<String, RepositoryFileReadError> {
    let mut digest = Sha256::new();
    let mut buffer = vec![0; 256 * 1024];
    let mut total: u64 = 0;
    loop {
        let read = match from.read(&mut buffer) {
            Ok(0) => return Ok(hex::encode(digest.finalize())),
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => {
                return Err(RepositoryFileReadError::Unreachable(format!(
                    "the transfer broke off: {}",
                    io_error_reason_text(&error)
                )));
            }
        };
        total += read as u64;
        if total > most {
            return Err(RepositoryFileReadError::Other(format!(
                "it has more than the {most} bytes announced"
            )));
        }
        digest.update(&buffer[..read]);
        into.write_all(&buffer[..read]).map_err(|error| {
            RepositoryFileReadError::Other(format!("it cannot be stored: {}", io_error_reason_text(&error)))
        })?;
        if let Some(bar) = bar {
            bar.advance_by(read as u64);
        }
    }
}

/// Percent-encodes a path for a URL, except the usual characters of file names.
fn percent_encode_path(href: &str) -> String {
    let mut out = String::with_capacity(href.len());
    for byte in href.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'-' | b'.' | b'_' | b'~' => {
                out.push(char::from(byte))
            }
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_with_plus_and_caret_survive_a_url() {
        assert_eq!(
            percent_encode_path("packages/a-1.0^git+1-1.noarch.rpm"),
            "packages/a-1.0%5Egit%2B1-1.noarch.rpm"
        );
    }

    #[test]
    fn more_bytes_than_announced_are_refused() {
        let mut sink = Vec::new();
        assert!(matches!(
            copy_hashing(&b"12345"[..], 4, &mut sink, None),
            Err(RepositoryFileReadError::Other(_))
        ));
        let empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        assert_eq!(copy_hashing(&b""[..], 0, &mut sink, None).unwrap(), empty);
    }
}
