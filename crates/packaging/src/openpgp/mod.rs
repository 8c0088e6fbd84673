//! OpenPGP keys: what signs packages and repository metadata, and what checks them.
//!
//! A [`SecretKey`] signs, [`TrustedPublicKeys`] verify. `rpm`, `dnf` and `gpg` are the judges: keys made here
//! are version 4 Ed25519 keys, which every `rpm` since 4.17 and every `gpg` since 2.1 understands.

mod public_keys;
mod secret_key;

use std::fmt;

pub use public_keys::{SignatureError, TrustedPublicKeys, is_armored_secret_key};
pub(crate) use public_keys::{SigningSubkey, VerifiedSigner};
pub use secret_key::{SecretKey, SecretKeyError};

/// The fingerprint that names a key, in upper-case hexadecimal as `gpg` shows it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyFingerprint(String);

impl KeyFingerprint {
    fn of(key: &impl pgp::types::KeyDetails) -> Self {
        Self(hex::encode_upper(key.fingerprint().as_bytes()))
    }

    /// The fingerprint as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for KeyFingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
