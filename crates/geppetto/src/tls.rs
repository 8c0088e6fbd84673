//! TLS: the certificate that clients see. It comes from files, which are read again when they change, or from the
//! control plane's own authority, which issues it anew in time. Neither needs a restart.

mod own_authority;

use std::{
    io,
    net::IpAddr,
    path::{Path, PathBuf},
    sync::{Arc, PoisonError, RwLock},
    time::{Duration, SystemTime},
};

use rustls::{
    ServerConfig,
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
    server::{ClientHello, ResolvesServerCert},
    sign::CertifiedKey,
};
use tokio_rustls::TlsAcceptor;

pub(crate) use own_authority::OwnAuthority;

use crate::{clock::Clock, command_error::GeppettoCommandError};

/// How often the files are looked at, and how often it is asked whether an issued certificate must be renewed.
const CHECK_INTERVAL: Duration = Duration::from_secs(10);

/// Where the certificate comes from.
pub(crate) enum CertificateSource {
    /// PEM files: the certificate with the intermediate certificates, and its private key.
    Files {
        /// The certificates, the server's own first.
        certificate: PathBuf,
        /// The private key.
        key: PathBuf,
    },
    /// Issued by the control plane itself, for these names and addresses.
    Own {
        /// Who issues it.
        authority: Box<OwnAuthority>,
        /// The names of the server.
        names: Vec<String>,
        /// Its addresses.
        addresses: Vec<IpAddr>,
    },
}

/// What the server speaks TLS with.
pub(crate) struct ServerTls {
    acceptor: TlsAcceptor,
    current: Arc<CurrentCertificate>,
    source: CertificateSource,
    clock: Clock,
}

/// The certificate of connections that begin now.
#[derive(Debug)]
struct CurrentCertificate(RwLock<Arc<CertifiedKey>>);

impl ResolvesServerCert for CurrentCertificate {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner)))
    }
}

/// What decides whether the certificate must be loaded again: when its files were changed, or when it is to be renewed.
#[derive(PartialEq)]
enum ReloadCondition {
    /// The times the two files were changed at.
    FilesOf([Option<SystemTime>; 2]),
    /// The time in microseconds at which it is renewed.
    RenewAt(i64),
}

impl ServerTls {
    /// Reads or issues the first certificate.
    pub(crate) fn new(source: CertificateSource, clock: Clock) -> Result<Self, GeppettoCommandError> {
        let certificate = load_certificate(&source, clock.now_us())?;
        let current = Arc::new(CurrentCertificate(RwLock::new(Arc::new(certificate))));
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(|error| {
                GeppettoCommandError::operation_failed_error(format!("TLS cannot be used: {error}"))
            })?
            .with_no_client_auth()
            .with_cert_resolver(Arc::<CurrentCertificate>::clone(&current));
        Ok(Self { acceptor: TlsAcceptor::from(Arc::new(config)), current, source, clock })
    }

    /// What accepts connections.
    pub(crate) fn acceptor(&self) -> TlsAcceptor {
        self.acceptor.clone()
    }

    /// The fingerprint of the control plane's own authority, if that is who issues the certificate.
    pub(crate) fn own_authority_fingerprint(&self) -> Option<String> {
        match &self.source {
            CertificateSource::Files { .. } => None,
            CertificateSource::Own { authority, .. } => Some(authority.fingerprint()),
        }
    }

    /// Loads or renews the certificate as long as the server runs. If a new one cannot be used, this is logged, and the earlier
    /// one stays.
    pub(crate) async fn keep_certificate_current(&self) {
        let mut condition = self.reload_condition();
        loop {
            tokio::time::sleep(CHECK_INTERVAL).await;
            self.renew_certificate_if_outdated(&mut condition);
        }
    }

    fn renew_certificate_if_outdated(&self, condition: &mut ReloadCondition) {
        if !self.is_outdated(condition) {
            return;
        }
        *condition = self.reload_condition();
        match load_certificate(&self.source, self.clock.now_us()) {
            Ok(certificate) => {
                *self.current.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(certificate);
                tracing::info!("new connections get the new TLS certificate");
            }
            Err(error) => {
                tracing::warn!(%error, "the new TLS certificate cannot be used; connections get the earlier one");
            }
        }
    }

    fn reload_condition(&self) -> ReloadCondition {
        let changed = |path: &Path| std::fs::metadata(path).and_then(|metadata| metadata.modified()).ok();
        match &self.source {
            CertificateSource::Files { certificate, key } => {
                ReloadCondition::FilesOf([changed(certificate), changed(key)])
            }
            CertificateSource::Own { .. } => {
                ReloadCondition::RenewAt(self.clock.now_us() + own_authority::RENEW_AFTER_US)
            }
        }
    }

    fn is_outdated(&self, condition: &ReloadCondition) -> bool {
        match condition {
            ReloadCondition::FilesOf(_) => self.reload_condition() != *condition,
            ReloadCondition::RenewAt(at_us) => self.clock.now_us() >= *at_us,
        }
    }
}

/// Reads the certificate, or has it issued.
fn load_certificate(source: &CertificateSource, now_us: i64) -> Result<CertifiedKey, GeppettoCommandError> {
    let (chain, key, from) = match source {
        CertificateSource::Files { certificate, key } => {
            let unreadable = |path: &Path, why: &dyn std::fmt::Display| {
                GeppettoCommandError::invalid_input_error(format!(
                    "`{}` cannot be used: {why}",
                    path.display()
                ))
                .with_hint(
                    "--tls-certificate takes the certificate chain and --tls-key its private key, in PEM",
                )
            };
            let chain: Result<Vec<_>, _> = CertificateDer::pem_file_iter(certificate)
                .and_then(Iterator::collect::<Result<Vec<_>, _>>)
                .map_err(|error| unreadable(certificate, &error));
            let chain = chain?;
            if chain.is_empty() {
                return Err(unreadable(certificate, &"it holds no certificate"));
            }
            let private = PrivateKeyDer::from_pem_file(key).map_err(|error| unreadable(key, &error))?;
            (chain, private, format!("`{}` and `{}`", certificate.display(), key.display()))
        }
        CertificateSource::Own { authority, names, addresses } => {
            let (chain, private) = authority.issue_server_certificate(names, addresses, now_us)?;
            (chain, private, "the control plane's own certificate".to_owned())
        }
    };
    CertifiedKey::from_der(chain, key, &ring::default_provider()).map_err(|error| {
        GeppettoCommandError::invalid_input_error(format!("TLS cannot be spoken with {from}: {error}"))
            .with_hint("does the key belong to the first certificate?")
    })
}

/// The names and addresses this machine is reached by: what the certificate is issued for.
pub(crate) fn names_and_addresses_for_certificate(
    listen: IpAddr,
    advertised_host: Option<&str>,
) -> io::Result<(Vec<String>, Vec<IpAddr>)> {
    let mut names = vec!["localhost".to_owned()];
    let mut addresses = Vec::new();
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    for name in [Some(host.trim()), advertised_host].into_iter().flatten() {
        match name.trim_matches(['[', ']']).parse() {
            Ok(address) => addresses.push(address),
            Err(_) if !name.is_empty() && !names.iter().any(|known| known == name) => {
                names.push(name.to_owned())
            }
            Err(_) => {}
        }
    }
    match listen.is_unspecified() {
        true => {
            for interface in nix::ifaddrs::getifaddrs()? {
                let Some(address) = interface.address else { continue };
                let v4 = address.as_sockaddr_in().map(|address| IpAddr::V4(address.ip()));
                let v6 = address.as_sockaddr_in6().map(|address| IpAddr::V6(address.ip()));
                addresses.extend(v4.or(v6));
            }
        }
        false => addresses.push(listen),
    }
    addresses.sort_unstable();
    addresses.dedup();
    Ok((names, addresses))
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicI64, Ordering};

    use super::*;

    const DAY_US: i64 = 24 * 3600 * 1_000_000;

    fn served(tls: &ServerTls) -> Vec<CertificateDer<'static>> {
        tls.current.0.read().unwrap().cert.clone()
    }

    /// Writes a certificate with its key, as if it had been written `age` seconds ago.
    fn write_certificate(certificate: &Path, key: &Path, age: u64) {
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        for (path, pem) in [(certificate, made.cert.pem()), (key, made.signing_key.serialize_pem())] {
            std::fs::write(path, pem).unwrap();
            let times = std::fs::metadata(path).unwrap().modified().unwrap() - Duration::from_secs(age);
            std::fs::File::options().write(true).open(path).unwrap().set_modified(times).unwrap();
        }
    }

    #[test]
    fn changed_certificate_files_are_used_without_a_restart_and_damaged_ones_are_not() {
        let folder = tempfile::tempdir().unwrap();
        let (certificate, key) = (folder.path().join("tls.pem"), folder.path().join("tls.key"));
        write_certificate(&certificate, &key, 20);
        let source = CertificateSource::Files { certificate: certificate.clone(), key: key.clone() };
        let tls = ServerTls::new(source, Clock::system_clock()).unwrap();
        let (first, mut condition) = (served(&tls), tls.reload_condition());
        tls.renew_certificate_if_outdated(&mut condition);
        assert_eq!(served(&tls), first);
        std::fs::write(&certificate, "half a certificate").unwrap();
        tls.renew_certificate_if_outdated(&mut condition);
        assert_eq!(served(&tls), first, "a damaged file replaces nothing");
        write_certificate(&certificate, &key, 0);
        tls.renew_certificate_if_outdated(&mut condition);
        assert_ne!(served(&tls), first);
    }

    #[test]
    fn own_certificate_is_renewed_long_before_it_expires() {
        let folder = tempfile::tempdir().unwrap();
        let now = Arc::new(AtomicI64::new(1_800_000_000_000_000));
        let told = Arc::clone(&now);
        let clock = Clock::clock_from_function(move || told.load(Ordering::Relaxed));
        let authority = Box::new(
            OwnAuthority::load_or_create(&folder.path().join("authority.pem"), clock.now_us()).unwrap(),
        );
        let source = CertificateSource::Own {
            authority,
            names: vec!["localhost".to_owned()],
            addresses: vec![IpAddr::from([127, 0, 0, 1])],
        };
        let tls = ServerTls::new(source, clock).unwrap();
        let (first, mut condition) = (served(&tls), tls.reload_condition());
        assert_eq!(first.len(), 2, "clients get the authority with it");
        now.fetch_add(59 * DAY_US, Ordering::Relaxed);
        tls.renew_certificate_if_outdated(&mut condition);
        assert_eq!(served(&tls), first);
        now.fetch_add(2 * DAY_US, Ordering::Relaxed);
        tls.renew_certificate_if_outdated(&mut condition);
        assert_ne!(served(&tls)[0], first[0]);
        assert_eq!(served(&tls)[1], first[1], "the authority stays");
    }

    #[test]
    fn key_of_another_certificate_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        write_certificate(&path("a.pem"), &path("a.key"), 0);
        write_certificate(&path("b.pem"), &path("b.key"), 0);
        for (certificate, key, why) in [
            ("a.pem", "b.key", "does the key belong"),
            ("a.key", "a.key", "holds no certificate"),
            ("a.pem", "missing", "cannot be used"),
        ] {
            let source = CertificateSource::Files { certificate: path(certificate), key: path(key) };
            let error = ServerTls::new(source, Clock::system_clock()).err().unwrap();
            assert!(error.to_string().contains(why) || format!("{error:?}").contains(why), "{error:?}");
        }
    }
}
