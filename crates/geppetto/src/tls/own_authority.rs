//! The control plane's own certificate authority, for sites that have none: made at the first start that needs it. Clients
//! know it by its fingerprint, which travels with the join token or is given by an administrator.

use std::{fs, io, net::IpAddr, path::Path};

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, SanType,
};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, pem::PemObject};
use sha2::{Digest, Sha256};
use time::{Duration, OffsetDateTime};

use crate::{command_error::GeppettoCommandError, data_folder::create_secret_file};

/// How long the authority is good: renewing it means to tell every client the new fingerprint.
const AUTHORITY_DAYS: i64 = 20 * 365;
/// How long an issued certificate is good. It is renewed long before, and at every start.
const CERTIFICATE_DAYS: i64 = 90;
/// When an issued certificate is renewed, in microseconds after it was issued.
pub(super) const RENEW_AFTER_US: i64 = 60 * 24 * 3600 * 1_000_000;
/// How far the clock of a client may be behind.
const CLOCK_TOLERANCE_HOURS: i64 = 24;

/// The authority, ready to issue certificates.
pub(crate) struct OwnAuthority {
    certificate: CertificateDer<'static>,
    issuer: Issuer<'static, KeyPair>,
}

impl OwnAuthority {
    /// Reads the authority's key and certificate, which lie in one PEM file; makes it if there is none.
    pub(crate) fn load_or_create(path: &Path, now_us: i64) -> Result<Self, GeppettoCommandError> {
        if !path.exists() {
            let made = create_authority_pem(now_us).map_err(cannot_issue)?;
            match create_secret_file(path, made.as_bytes()) {
                // Another process made one at the same moment: that one is used.
                Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
                    return Err(GeppettoCommandError::operation_failed_error(format!(
                        "`{}` could not be written: {error}",
                        path.display()
                    )));
                }
                _ => {}
            }
        }
        let damaged = |why: &dyn std::fmt::Display| {
            GeppettoCommandError::invalid_input_error(format!(
                "the authority `{}` cannot be used: {why}",
                path.display()
            ))
            .with_hint(
                "restore it from a backup; if it is removed, a new one is made, and every client must be told the new \
                 fingerprint",
            )
        };
        let pem = fs::read_to_string(path).map_err(|error| damaged(&error))?;
        let certificate = CertificateDer::from_pem_slice(pem.as_bytes()).map_err(|error| damaged(&error))?;
        let key = PrivatePkcs8KeyDer::from_pem_slice(pem.as_bytes()).map_err(|error| damaged(&error))?;
        let key = KeyPair::try_from(&key).map_err(|error| damaged(&error))?;
        Ok(Self { certificate, issuer: Issuer::new(authority_params(), key) })
    }

    /// SHA-256 of its certificate: `sha256:` and 64 hexadecimal digits.
    pub(crate) fn fingerprint(&self) -> String {
        format!("sha256:{}", hex::encode(Sha256::digest(&self.certificate)))
    }

    /// Issues a certificate with a new key. The chain has the authority's own certificate at its end, so that a client
    /// that knows only its fingerprint gets it.
    pub(super) fn issue_server_certificate(
        &self,
        names: &[String],
        addresses: &[IpAddr],
        now_us: i64,
    ) -> Result<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>), GeppettoCommandError> {
        let issue = || {
            let mut params = CertificateParams::new(names)?;
            params.subject_alt_names.extend(addresses.iter().copied().map(SanType::IpAddress));
            params
                .distinguished_name
                .push(DnType::CommonName, names.first().map_or("geppetto", String::as_str));
            params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
            params.use_authority_key_identifier_extension = true;
            (params.not_before, params.not_after) = validity(now_us, CERTIFICATE_DAYS);
            let key = KeyPair::generate()?;
            let certificate = params.signed_by(&key, &self.issuer)?;
            Ok((certificate.der().clone(), PrivatePkcs8KeyDer::from(key.serialize_der())))
        };
        let (certificate, key) = issue().map_err(cannot_issue)?;
        Ok((vec![certificate, self.certificate.clone()], key.into()))
    }
}

/// A new key with its certificate, in PEM.
fn create_authority_pem(now_us: i64) -> Result<String, rcgen::Error> {
    let key = KeyPair::generate()?;
    let mut params = authority_params();
    (params.not_before, params.not_after) = validity(now_us, AUTHORITY_DAYS);
    Ok(params.self_signed(&key)?.pem() + &key.serialize_pem())
}

/// Parameters that are the same for every authority: authorities differ only by their keys.
fn authority_params() -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, "Geppetto control plane");
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params
}

fn validity(now_us: i64, days: i64) -> (OffsetDateTime, OffsetDateTime) {
    let now = OffsetDateTime::from_unix_timestamp(now_us / 1_000_000).unwrap_or(OffsetDateTime::UNIX_EPOCH);
    (now - Duration::hours(CLOCK_TOLERANCE_HOURS), now + Duration::days(days))
}

fn cannot_issue(error: rcgen::Error) -> GeppettoCommandError {
    GeppettoCommandError::operation_failed_error(format!("no TLS certificate could be issued: {error}"))
        .with_hint("give one with --tls-certificate and --tls-key")
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_800_000_000_000_000;

    #[test]
    fn authority_is_made_once_and_keeps_its_fingerprint() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("authority.pem");
        let first = OwnAuthority::load_or_create(&path, NOW).unwrap().fingerprint();
        assert_eq!(OwnAuthority::load_or_create(&path, NOW + 1).unwrap().fingerprint(), first);
        assert!(first.len() == 71 && first.starts_with("sha256:"), "{first}");
        let other = folder.path().join("other.pem");
        assert_ne!(OwnAuthority::load_or_create(&other, NOW).unwrap().fingerprint(), first);
        let mode = std::os::unix::fs::PermissionsExt::mode(&fs::metadata(&path).unwrap().permissions());
        assert_eq!(mode & 0o777, 0o600);
        fs::write(&path, "junk").unwrap();
        let error = OwnAuthority::load_or_create(&path, NOW).err().unwrap().to_string();
        assert!(error.contains("cannot be used"), "{error}");
    }
}
