//! The keys that packages are trusted by: given, replaced by a renewed certificate, withdrawn.
//!
//! What counts is when a package is received, by the clock of the repository: its signer chooses the date in the signature.
//! No new package signed by a withdrawn or expired key is accepted; those that were received before stay, and so does the key for
//! whoever checks them.

use std::{collections::BTreeMap, fs, io};

use super::{Repository, RepositoryError, Result, durable_writes};
use crate::openpgp::{KeyFingerprint, SigningSubkey, TrustedPublicKeys, VerifiedSigner};

/// A key that packages are trusted by, or were.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrustedOrWithdrawnKey {
    /// Which.
    pub fingerprint: KeyFingerprint,
    /// Whose it is, as the certificate says; `None` if that is no readable text.
    pub holder: Option<String>,
    /// Whether the repository signs its metadata with it.
    pub signs_metadata: bool,
    /// When it expires, in seconds since 1970; `None` if it does not.
    pub expires: Option<u64>,
    /// When it was withdrawn, in seconds since 1970; `None` if it is not.
    pub withdrawn: Option<u64>,
}

impl Repository {
    /// Accepts packages signed by these armored certificates. A certificate of a key that is known replaces the earlier
    /// one, and a key that was withdrawn is accepted again.
    pub fn trust_keys(&self, armored: &str) -> Result<Vec<KeyFingerprint>> {
        let new = TrustedPublicKeys::from_armored_certificates(armored).map_err(RepositoryError::Trust)?;
        let _lock = self.lock()?;
        let kept = self.read_trusted_and_withdrawn_keys()?.without_keys_of(&new);
        let text = kept.to_armored_text().map_err(RepositoryError::Trust)?
            + &new.to_armored_text().map_err(RepositoryError::Trust)?;
        self.write(&self.layout().trusted_keys_path(), text.as_bytes())?;
        let mut withdrawn = self.read_withdrawn_keys()?;
        let before = withdrawn.len();
        withdrawn.retain(|fingerprint, _| !new.fingerprints().iter().any(|key| key.as_str() == fingerprint));
        if withdrawn.len() < before {
            self.write_withdrawn_keys(&withdrawn)?;
        }
        Ok(new.fingerprints())
    }

    /// Accepts no new package signed by this key from now on. `false` if it was withdrawn before.
    pub fn withdraw_key_unless_withdrawn(&self, fingerprint: &str, now: u64) -> Result<bool> {
        let wanted = fingerprint.replace(' ', "").to_uppercase();
        let _lock = self.lock()?;
        let known = self.read_trusted_and_withdrawn_keys()?.fingerprints();
        if !known.iter().any(|key| key.as_str() == wanted) {
            return Err(RepositoryError::NoKey {
                fingerprint: fingerprint.chars().filter(|c| !c.is_control()).take(100).collect(),
                known: known.iter().map(KeyFingerprint::as_str).collect::<Vec<_>>().join(", "),
            });
        }
        let own = self.key.fingerprint();
        if own.as_str() == wanted {
            return Err(RepositoryError::OwnKey { fingerprint: wanted });
        }
        let mut withdrawn = self.read_withdrawn_keys()?;
        if withdrawn.contains_key(&wanted) {
            return Ok(false);
        }
        withdrawn.insert(wanted, now);
        self.write_withdrawn_keys(&withdrawn)?;
        Ok(true)
    }

    /// All keys that packages are or were trusted by, in the order they were given.
    pub fn list_trusted_and_withdrawn_keys(&self) -> Result<Vec<TrustedOrWithdrawnKey>> {
        let withdrawn = self.read_withdrawn_keys()?;
        let keys = self.read_trusted_and_withdrawn_keys()?;
        let mut holders = keys.holders();
        let own = self.key.fingerprint();
        let with_state = |(fingerprint, expires): (KeyFingerprint, Option<u64>)| TrustedOrWithdrawnKey {
            holder: holders.remove(&fingerprint),
            signs_metadata: fingerprint == own,
            withdrawn: withdrawn.get(fingerprint.as_str()).copied(),
            fingerprint,
            expires,
        };
        Ok(keys.fingerprints_and_expiry().into_iter().map(with_state).collect())
    }

    /// Refuses a package whose key is withdrawn, or whose key or signing subkey has expired, at the time the package is
    /// received.
    pub(super) fn refuse_withdrawn_or_expired_key(
        &self,
        file: &str,
        signer: &VerifiedSigner,
        received: u64,
    ) -> Result<()> {
        let refused = |fingerprint: String, why| {
            Err(RepositoryError::KeyNotAccepted { file: file.to_owned(), fingerprint, why })
        };
        let keys = self.list_trusted_and_withdrawn_keys()?;
        match keys.iter().find(|key| key.fingerprint == signer.key) {
            Some(TrustedOrWithdrawnKey { withdrawn: Some(_), .. }) => {
                refused(signer.key.to_string(), "was withdrawn")?
            }
            Some(TrustedOrWithdrawnKey { expires: Some(expires), .. }) if *expires <= received => {
                refused(signer.key.to_string(), "has expired")?
            }
            _ => {}
        }
        let Some(subkey) = &signer.subkey else { return Ok(()) };
        let name = || format!("{}, a subkey of {}", subkey.fingerprint, signer.key);
        match subkey {
            SigningSubkey { revoked: true, .. } => refused(name(), "was revoked"),
            SigningSubkey { expires: Some(expires), .. } if *expires <= received => {
                refused(name(), "has expired")
            }
            _ => Ok(()),
        }
    }

    /// The armored public keys that packages and metadata are trusted by, one after the other.
    pub fn read_armored_trusted_and_withdrawn_keys(&self) -> Result<String> {
        let path = self.layout().trusted_keys_path();
        fs::read_to_string(&path).map_err(|why| RepositoryError::from_io_error("read", &path, why))
    }

    /// The keys by which packages that were received are checked.
    pub fn read_trusted_and_withdrawn_keys(&self) -> Result<TrustedPublicKeys> {
        TrustedPublicKeys::from_armored_certificates(&self.read_armored_trusted_and_withdrawn_keys()?)
            .map_err(RepositoryError::Trust)
    }

    /// When keys were withdrawn, by fingerprint.
    fn read_withdrawn_keys(&self) -> Result<BTreeMap<String, u64>> {
        let path = self.layout().withdrawn_keys_path();
        match fs::read(&path) {
            Ok(text) => serde_json::from_slice(&text)
                .map_err(|why| RepositoryError::Damaged { path, why: why.to_string() }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(BTreeMap::new()),
            Err(why) => Err(RepositoryError::from_io_error("read", &path, why)),
        }
    }

    fn write_withdrawn_keys(&self, withdrawn: &BTreeMap<String, u64>) -> Result<()> {
        let path = self.layout().withdrawn_keys_path();
        self.write(&path, &durable_writes::to_json_bytes(&path, withdrawn)?)
    }
}
