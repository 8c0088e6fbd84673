//! The options of `geppetto serve` that say how connections are encrypted.

use std::{net::SocketAddr, path::PathBuf};

use crate::{
    clock::Clock,
    command_error::GeppettoCommandError,
    data_folder::DataFolder,
    tls::{CertificateSource, OwnAuthority, ServerTls, names_and_addresses_for_certificate},
};

/// How connections are encrypted. Without any of these, a loopback address speaks plain HTTP and every other one TLS with
/// a certificate of the control plane's own authority.
#[derive(Debug, clap::Args)]
pub(super) struct TlsArgs {
    /// Speak TLS with this certificate: PEM, the server's own certificate first, then the intermediate
    /// certificates. A changed file is read again without a restart
    #[arg(long, env = "GEPPETTO_TLS_CERTIFICATE", requires = "tls_key", value_name = "FILE")]
    tls_certificate: Option<PathBuf>,
    /// The private key of the certificate, in PEM
    #[arg(long, env = "GEPPETTO_TLS_KEY", requires = "tls_certificate", value_name = "FILE")]
    tls_key: Option<PathBuf>,
    /// Also on a loopback address, speak TLS with a certificate issued by the control plane's own authority
    #[arg(long, conflicts_with = "tls_certificate")]
    own_certificate: bool,
    /// Speak plain HTTP on any address: a proxy in front of it speaks TLS with the clients
    #[arg(long, env = "GEPPETTO_BEHIND_PROXY", conflicts_with_all = ["tls_certificate", "own_certificate"])]
    behind_proxy: bool,
}

impl TlsArgs {
    /// What to speak TLS with on this address; `None` for plain HTTP.
    pub(super) fn new_server_tls_unless_plain(
        &self,
        data: &DataFolder,
        listen: SocketAddr,
        advertised_url: Option<&str>,
        clock: &Clock,
    ) -> Result<Option<ServerTls>, GeppettoCommandError> {
        let source = match (&self.tls_certificate, &self.tls_key) {
            (Some(certificate), Some(key)) => {
                CertificateSource::Files { certificate: certificate.clone(), key: key.clone() }
            }
            _ if self.behind_proxy || (listen.ip().is_loopback() && !self.own_certificate) => {
                return Ok(None);
            }
            _ => {
                let advertised = advertised_url.and_then(|url| url.parse::<axum::http::Uri>().ok());
                let advertised = advertised.as_ref().and_then(|url| url.host());
                let (names, addresses) = names_and_addresses_for_certificate(listen.ip(), advertised)
                    .map_err(|error| {
                        GeppettoCommandError::operation_failed_error(format!(
                            "the addresses of this machine could not be listed: {error}"
                        ))
                    })?;
                let authority =
                    Box::new(OwnAuthority::load_or_create(&data.own_authority_path(), clock.now_us())?);
                CertificateSource::Own { authority, names, addresses }
            }
        };
        ServerTls::new(source, clock.clone()).map(Some)
    }
}
