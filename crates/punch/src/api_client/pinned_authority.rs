//! Fetching a control plane's own certificate authority, known by its fingerprint: before anything else is sent.

use std::{
    io::{self, Write as _},
    net::{TcpStream, ToSocketAddrs as _},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use model::exit::Exit;
use rustls::{
    CertificateError, ClientConfig, ClientConnection, DigitallySignedStruct, Error as TlsError,
    SignatureScheme,
    client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    crypto::{self, CryptoProvider, ring},
    pki_types::{CertificateDer, ServerName, UnixTime},
};
use sha2::{Digest, Sha256};
use tempfile::NamedTempFile;
use ureq::http::Uri;

use super::{ConnectionWait, check_and_trim_base_url, error::connection_error_reason_text};
use crate::command_error::CommandError;

/// How long connecting, and each answer of the handshake, may take.
const TIMEOUT: Duration = Duration::from_secs(10);
/// The port of an address that names none.
const HTTPS_PORT: u16 = 443;

/// The SHA-256 of a certificate, as `geppetto serve` prints it: `sha256:` and 64 hexadecimal digits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct CaFingerprint([u8; 32]);

impl std::str::FromStr for CaFingerprint {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let digits = text.strip_prefix("sha256:").unwrap_or(text).replace(':', "");
        hex::decode(digits)
            .ok()
            .and_then(|bytes| bytes.try_into().ok())
            .map(Self)
            .ok_or_else(|| "a fingerprint is `sha256:` and 64 hexadecimal digits".to_owned())
    }
}

/// Finds the certificate with the fingerprint among those that a server shows, and trusts nothing else.
#[derive(Debug)]
struct FingerprintVerifier {
    fingerprint: CaFingerprint,
    provider: Arc<CryptoProvider>,
    found: Mutex<Option<CertificateDer<'static>>>,
}

/// Asks the control plane at `url` for the authority with this fingerprint, waiting while nothing listens there; gives
/// its certificate in a PEM file.
pub(crate) fn fetch_authority_by_fingerprint(
    url: &str,
    fingerprint: &CaFingerprint,
    wait: &ConnectionWait<'_>,
) -> Result<NamedTempFile, CommandError> {
    let base = check_and_trim_base_url(url)?;
    let uri: Uri =
        base.parse().map_err(|_| CommandError::invalid_input_error(format!("`{base}` is not a URL")))?;
    if uri.scheme_str() != Some("https") {
        return Err(CommandError::invalid_input_error(format!(
            "{base} is not encrypted: --ca-fingerprint needs an https:// address"
        ))
        .with_hint("write the address with https://, or leave --ca-fingerprint out"));
    }
    let host = uri.host().unwrap_or_default().trim_matches(['[', ']']).to_owned();
    let port = uri.port_u16().unwrap_or(HTTPS_PORT);
    let unreachable = |error: &dyn std::fmt::Display| {
        CommandError::new(Exit::Unreachable, format!("{base} could not be reached: {error}"))
            .with_hint("check the address, the network and that `geppetto serve` runs there")
    };
    let mut stream = wait
        .retry_while_refused(&base, || connect(&host, port))
        .map_err(|error| unreachable(&connection_error_reason_text(&error)))?;
    let verifier = Arc::new(FingerprintVerifier {
        fingerprint: fingerprint.clone(),
        provider: Arc::new(ring::default_provider()),
        found: Mutex::default(),
    });
    let handshake = complete_tls_handshake(&host, &mut stream, Arc::clone(&verifier));
    let found = verifier.found.lock().unwrap_or_else(PoisonError::into_inner).take();
    let certificate = match (found, handshake) {
        (Some(certificate), Ok(())) => certificate,
        (_, Err(error)) if is_wrong_fingerprint(&error) => {
            return Err(CommandError::invalid_input_error(format!(
                "{base} does not present the certificate authority with this fingerprint; nothing was sent to it"
            ))
            .with_hint(
                "it is the fingerprint of the authority, not of the server's own certificate: compare it with `fingerprint=` in \
                 the log of `geppetto serve`; if it is the same, another server answers at this address, or this one has \
                 a certificate of another authority now",
            ));
        }
        (_, Err(error)) => return Err(unreachable(&connection_error_reason_text(&error))),
        (None, Ok(())) => return Err(unreachable(&"it presents no certificate")),
    };
    let write = || {
        let mut file = NamedTempFile::new()?;
        file.write_all(certificate_to_pem(&certificate).as_bytes())?;
        file.flush()?;
        Ok(file)
    };
    write().map_err(|error: io::Error| {
        CommandError::invalid_input_error(format!(
            "a temporary file could not be written in {}: {error}",
            std::env::temp_dir().display()
        ))
    })
}

fn connect(host: &str, port: u16) -> io::Result<TcpStream> {
    let mut last = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
    for address in (host, port).to_socket_addrs()? {
        match TcpStream::connect_timeout(&address, TIMEOUT) {
            Ok(stream) => {
                stream.set_read_timeout(Some(TIMEOUT))?;
                stream.set_write_timeout(Some(TIMEOUT))?;
                return Ok(stream);
            }
            Err(error) => last = error,
        }
    }
    Err(last)
}

fn complete_tls_handshake(
    host: &str,
    stream: &mut TcpStream,
    verifier: Arc<FingerprintVerifier>,
) -> io::Result<()> {
    let name = ServerName::try_from(host.to_owned()).map_err(io::Error::other)?;
    let config = ClientConfig::builder_with_provider(Arc::clone(&verifier.provider))
        .with_safe_default_protocol_versions()
        .map_err(io::Error::other)?
        .dangerous()
        .with_custom_certificate_verifier(verifier)
        .with_no_client_auth();
    let mut connection = ClientConnection::new(Arc::new(config), name).map_err(io::Error::other)?;
    while connection.is_handshaking() {
        connection.complete_io(stream)?;
    }
    Ok(())
}

fn is_wrong_fingerprint(error: &io::Error) -> bool {
    let tls = error.get_ref().and_then(|inner| inner.downcast_ref::<TlsError>());
    matches!(tls, Some(TlsError::InvalidCertificate(CertificateError::UnknownIssuer)))
}

fn certificate_to_pem(certificate: &CertificateDer<'_>) -> String {
    let text = STANDARD.encode(certificate);
    let mut pem = "-----BEGIN CERTIFICATE-----\n".to_owned();
    for line in text.as_bytes().chunks(64) {
        pem.push_str(&String::from_utf8_lossy(line));
        pem.push('\n');
    }
    pem + "-----END CERTIFICATE-----\n"
}

impl ServerCertVerifier for FingerprintVerifier {
    /// Nothing is sent over this connection. Whether the server's own certificate was issued by the authority is checked by
    /// every connection that follows.
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, TlsError> {
        let found = intermediates
            .iter()
            .chain([end_entity])
            .find(|certificate| Sha256::digest(certificate)[..] == self.fingerprint.0)
            .ok_or(TlsError::InvalidCertificate(CertificateError::UnknownIssuer))?;
        *self.found.lock().unwrap_or_else(PoisonError::into_inner) = Some(found.clone().into_owned());
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        crypto::verify_tls12_signature(
            message,
            certificate,
            signature,
            &self.provider.signature_verification_algorithms,
        )
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        crypto::verify_tls13_signature(
            message,
            certificate,
            signature,
            &self.provider.signature_verification_algorithms,
        )
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fingerprint_is_read_with_and_without_its_prefix_and_colons() {
        let digits = "ab".repeat(32);
        let expected = CaFingerprint([0xab; 32]);
        for text in [format!("sha256:{digits}"), digits.to_uppercase(), ["AB"; 32].join(":")] {
            assert_eq!(text.parse::<CaFingerprint>(), Ok(expected.clone()), "{text}");
        }
        for text in ["", "sha256:", "sha256:ab", "md5:ab"] {
            text.parse::<CaFingerprint>().unwrap_err();
        }
    }
}
