//! YAML, read strictly and with a bound on its work; the only place that knows the YAML library.

use serde::{Serialize, de::DeserializeOwned};

/// A text that is not what its format asks for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{file}: {message}")]
pub struct FormatError {
    /// The file as the user knows it, with the line when there is one: `roles/web.yaml:7`.
    pub file: String,
    /// What is wrong and what to write instead.
    pub message: String,
}

impl FormatError {
    /// An error that is about `file` as a whole.
    pub fn new(file: &str, message: impl Into<String>) -> Self {
        Self { file: file.to_owned(), message: message.into() }
    }
}

/// The largest text read, in bytes: far above any file people write.
pub const MAX_BYTES: usize = 8 * 1024 * 1024;

/// Reads one YAML document; `file` is its name in errors.
pub fn read<T: DeserializeOwned>(file: &str, text: &str) -> Result<T, FormatError> {
    if text.len() > MAX_BYTES {
        return Err(FormatError::new(
            file,
            format!("it has {} bytes; at most {MAX_BYTES} are read. Is this the right file?", text.len()),
        ));
    }
    serde_saphyr::from_str(text).map_err(|error| {
        let place = match error.location() {
            Some(location) => format!("{file}:{}", location.line()),
            None => file.to_owned(),
        };
        FormatError { file: place, message: error.render() }
    })
}

/// Writes a value as YAML; maps keep the order they are given in.
pub fn write<T: Serialize>(value: &T) -> String {
    serde_saphyr::to_string(value).unwrap_or_else(|error| format!("# not writable: {error}\n"))
}
