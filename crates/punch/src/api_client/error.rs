//! What can go wrong between punch and the control plane, as sentences.

use std::{collections::BTreeMap, io};

use model::{
    exit::Exit,
    fault::{self, Fault},
};

use crate::command_error::{CommandError, io_error_reason_text};

/// The control plane has no room left on its disk: it is reached, and waiting alone does not help.
const INSUFFICIENT_STORAGE: u16 = 507;

/// Why a request failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ApiClientError {
    /// No connection, or no response.
    #[error("the control plane {url} could not be reached: {why}")]
    Unreachable {
        /// The address that was tried.
        url: String,
        /// What happened.
        why: String,
        /// Whether nothing listens there: nothing was sent.
        connection_refused: bool,
    },
    /// The response is an error.
    #[error("{}", refused(.url, *.status, .title, .detail, .faults))]
    Refused {
        /// The address of the control plane.
        url: String,
        /// The HTTP status.
        status: u16,
        /// What failed, in a few words; empty when the answer was no problem document.
        title: String,
        /// What failed, where, why and what next.
        detail: String,
        /// The faults of what was sent.
        faults: Vec<Fault>,
    },
    /// Another web server answers at the address.
    #[error("{url} is not a Geppetto control plane: it answered with {seen}")]
    NotControlPlane {
        /// The address that was tried.
        url: String,
        /// What it answered with.
        seen: String,
    },
    /// The response is not what the API documents.
    #[error("{url} does not answer like a control plane: {why}")]
    InvalidResponse {
        /// The address of the control plane.
        url: String,
        /// What is wrong with it.
        why: String,
    },
}

fn refused(url: &str, status: u16, title: &str, detail: &str, faults: &[Fault]) -> String {
    if !faults.is_empty() {
        // The detail lists them too: its first line says what they prevented.
        let heading = detail.lines().next().unwrap_or(title);
        return format!("{url} refused: {heading}{}", fault::format_fault_list(faults));
    }
    match (title, detail) {
        ("", "") => format!("{url} answered with status {status} without a reason"),
        (title, "") => format!("{url} refused: {title} (status {status})"),
        (_, detail) => format!("{url} refused: {detail}"),
    }
}

impl ApiClientError {
    /// Converts an error of the HTTP library.
    pub(crate) fn from_ureq_error(url: &str, error: &ureq::Error) -> Self {
        let connection_refused =
            matches!(error, ureq::Error::Io(error) if error.kind() == io::ErrorKind::ConnectionRefused);
        let why = match error {
            ureq::Error::HostNotFound => "no address is known for that host name".to_owned(),
            ureq::Error::Io(error) => connection_error_reason_text(error),
            ureq::Error::Timeout(timeout) => format!("no answer in time ({timeout})"),
            ureq::Error::ConnectionFailed => "no connection could be made".to_owned(),
            ureq::Error::Rustls(error) => tls_error_reason_text(error),
            ureq::Error::Tls(error) => format!("TLS failed: {error}"),
            ureq::Error::Protocol(error) => {
                return Self::InvalidResponse { url: url.to_owned(), why: error.to_string() };
            }
            other => other.to_string(),
        };
        Self::Unreachable { url: url.to_owned(), why, connection_refused }
    }

    /// Whether the back-office counts as unreachable: no connection, a 5xx status, or an invalid response.
    pub(crate) fn is_unavailable(&self) -> bool {
        match self {
            Self::Unreachable { .. } => true,
            Self::Refused { status, .. } => *status >= 500,
            Self::NotControlPlane { .. } | Self::InvalidResponse { .. } => true,
        }
    }

    /// Names files in faults as they are called here: `there` to `here`.
    pub(crate) fn with_fault_files_renamed(mut self, names: &BTreeMap<String, String>) -> Self {
        if let Self::Refused { faults, .. } = &mut self {
            for file in faults.iter_mut().filter_map(|fault| fault.file.as_mut()) {
                if let Some(name) = names.get(file) {
                    file.clone_from(name);
                }
            }
        }
        self
    }

    /// The HTTP status, when there was one.
    pub(crate) fn http_status(&self) -> Option<u16> {
        match self {
            Self::Refused { status, .. } => Some(*status),
            _ => None,
        }
    }
}

/// How `webpki` names a certificate that is its own authority where a server's must be. `rustls` has no variant for it.
const AUTHORITY_AS_SERVER: &str = "CaUsedAsEndEntity";

/// Why TLS failed, in words that say what to do about it.
fn tls_error_reason_text(error: &rustls::Error) -> String {
    use rustls::CertificateError as Certificate;
    match error {
        rustls::Error::InvalidMessage(_) => {
            "it does not speak TLS on this port; if it really speaks plain HTTP, write http://".to_owned()
        }
        rustls::Error::InvalidCertificate(Certificate::UnknownIssuer) => {
            "its certificate is of an authority that is not known here; for a control plane's own authority give \
             --ca-fingerprint, which the log of `geppetto serve` shows, for a company's own --ca-file"
                .to_owned()
        }
        rustls::Error::InvalidCertificate(
            Certificate::NotValidForName | Certificate::NotValidForNameContext { .. },
        ) => "its certificate is for other names than this address; `geppetto serve --advertise URL` adds one".to_owned(),
        rustls::Error::InvalidCertificate(Certificate::Expired | Certificate::ExpiredContext { .. }) => {
            "its certificate has expired, or the clock of this machine is wrong".to_owned()
        }
        error if error.to_string().contains(AUTHORITY_AS_SERVER) => {
            "its certificate is one of an authority, not one for a server: `geppetto serve --tls-certificate` needs a \
             certificate that an authority issued for this address, and --ca-file takes the authority's; without \
             --tls-certificate `geppetto serve` makes both itself"
                .to_owned()
        }
        other => format!("its certificate or TLS is not acceptable: {other}"),
    }
}

/// Why there is no connection, or none any more.
pub(super) fn connection_error_reason_text(error: &io::Error) -> String {
    if let Some(tls) = error.get_ref().and_then(|inner| inner.downcast_ref()) {
        return tls_error_reason_text(tls);
    }
    match error.kind() {
        io::ErrorKind::ConnectionRefused => "nothing listens there (connection refused)".to_owned(),
        io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe => {
            "the connection was closed in the middle".to_owned()
        }
        _ => io_error_reason_text(error),
    }
}

impl From<ApiClientError> for CommandError {
    fn from(error: ApiClientError) -> Self {
        let message = error.to_string();
        if error.http_status() == Some(INSUFFICIENT_STORAGE) {
            return CommandError::failed_halfway_error(message);
        }
        if matches!(error, ApiClientError::NotControlPlane { .. }) {
            return CommandError::new(Exit::Unreachable, message).with_hint(
                "check the address and the port: `geppetto serve` listens on port 8700 unless told otherwise, and \
                 `punch config` shows which address is set where",
            );
        }
        if error.is_unavailable() {
            return CommandError::new(Exit::Unreachable, message)
                .with_hint("check the address, the network and that `geppetto serve` runs there");
        }
        let faults = match &error {
            ApiClientError::Refused { faults, .. } => faults.clone(),
            _ => Vec::new(),
        };
        let failure = CommandError { faults, ..CommandError::invalid_input_error(message) };
        match error.http_status() {
            Some(401) => failure.with_hint("give a token with `--token-file FILE`, or save one with `punch login URL --token-file FILE`"),
            Some(403) => failure.with_hint("ask an administrator for a token with a grant for it (`punch token create NAME --grant LEVEL:ENVIRONMENT`); `punch whoami` shows yours"),
            _ => failure,
        }
    }
}
