//! The secret half: making, keeping and using a signing key.

use std::{
    fs::{self, OpenOptions},
    io::{self, Write},
    os::unix::fs::{OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
};

use pgp::{
    composed::{
        ArmorOptions, Deserializable, DetachedSignature, KeyType, SecretKeyParamsBuilder, SignedSecretKey,
    },
    crypto::hash::HashAlgorithm,
    packet::{SignatureConfig, SignatureType, Subpacket, SubpacketData},
    types::{KeyVersion, Password, SigningKey, Timestamp},
};

use super::KeyFingerprint;

/// Why a secret key could not be made, kept, read or used.
#[derive(Debug, thiserror::Error)]
pub enum SecretKeyError {
    /// The file could not be read or written.
    #[error("cannot {doing} the secret key {}: {why}", .path.display())]
    Io {
        /// `read` or `write`.
        doing: &'static str,
        /// The file.
        path: PathBuf,
        /// The cause.
        why: io::Error,
    },
    /// Others may read it.
    #[error(
        "the secret key {} can be read by other users (mode {mode:04o}): run `chmod 600` on it, and make a new key if others may have copied it",
        .path.display()
    )]
    Exposed {
        /// The file.
        path: PathBuf,
        /// Its mode.
        mode: u32,
    },
    /// It holds no key that can sign.
    #[error("{} holds no secret OpenPGP key that can sign: {why}", .path.display())]
    NotAKey {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// It needs a passphrase.
    #[error(
        "the secret key {} is locked by a passphrase, and signing happens unattended: remove the passphrase (`gpg --edit-key KEY passwd`) and export the key again",
        .path.display()
    )]
    Locked {
        /// The file.
        path: PathBuf,
    },
    /// The cryptography failed.
    #[error("cannot {doing}: {why}")]
    Failed {
        /// What was tried.
        doing: &'static str,
        /// The cause.
        why: String,
    },
}

/// A secret key that signs packages and repository metadata.
#[derive(Clone)]
pub struct SecretKey {
    key: SignedSecretKey,
    signer: rpm::signature::pgp::Signer,
}

impl std::fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SecretKey({})", self.fingerprint())
    }
}

impl SecretKey {
    /// Makes a new Ed25519 key for `user_id` (`Name <mail>`), created at `created` (seconds since 1970).
    pub fn generate_secret_key(user_id: &str, created: u32) -> Result<Self, SecretKeyError> {
        let failed = |why: String| SecretKeyError::Failed { doing: "make a signing key", why };
        let params = SecretKeyParamsBuilder::default()
            .version(KeyVersion::V4)
            .key_type(KeyType::Ed25519Legacy)
            .can_certify(true)
            .can_sign(true)
            .created_at(Timestamp::from_secs(created))
            .primary_user_id(user_id.to_owned())
            .build()
            .map_err(|e| failed(e.to_string()))?;
        let key = params.generate(rand::rngs::OsRng).map_err(|e| failed(e.to_string()))?;
        let signer =
            rpm::signature::pgp::Signer::new(key.primary_key.clone()).map_err(|e| failed(e.to_string()))?;
        Ok(Self { key, signer })
    }

    /// Reads an armored secret key. A file that other users can read is refused.
    pub fn load_secret_key_file(path: &Path) -> Result<Self, SecretKeyError> {
        let io = |why| SecretKeyError::Io { doing: "read", path: path.to_owned(), why };
        let mode = fs::metadata(path).map_err(io)?.permissions().mode() & 0o7777;
        if mode & 0o077 != 0 {
            return Err(SecretKeyError::Exposed { path: path.to_owned(), mode });
        }
        let text = String::from_utf8_lossy(&fs::read(path).map_err(io)?).into_owned();
        Self::from_armored(path, &text)
    }

    fn from_armored(path: &Path, text: &str) -> Result<Self, SecretKeyError> {
        let not = |why: String| SecretKeyError::NotAKey { path: path.to_owned(), why };
        let (key, _) = SignedSecretKey::from_string(text).map_err(|e| not(e.to_string()))?;
        key.verify_bindings().map_err(|e| not(e.to_string()))?;
        if key.primary_key.secret_params().is_encrypted()
            || key.secret_subkeys.iter().any(|sub| sub.key.secret_params().is_encrypted())
        {
            return Err(SecretKeyError::Locked { path: path.to_owned() });
        }
        let signer = rpm::signature::pgp::Signer::from_asc(text).map_err(|e| not(e.to_string()))?;
        Ok(Self { key, signer })
    }

    /// Writes the key, armored, to a new file that only its owner can read.
    pub fn save_secret_key_file(&self, path: &Path) -> Result<(), SecretKeyError> {
        let text = self.to_armored_secret_text()?;
        let write = || {
            let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
            file.write_all(text.as_bytes())?;
            file.sync_all()
        };
        write().map_err(|why| SecretKeyError::Io { doing: "write", path: path.to_owned(), why })
    }

    /// The secret key, armored.
    pub(crate) fn to_armored_secret_text(&self) -> Result<String, SecretKeyError> {
        self.key
            .to_armored_string(ArmorOptions::default())
            .map_err(|e| SecretKeyError::Failed { doing: "write the key down", why: e.to_string() })
    }

    /// The public half, armored, as `rpm --import` and dnf's `gpgkey=` take it.
    pub fn armored_public_key(&self) -> Result<String, SecretKeyError> {
        self.key
            .to_public_key()
            .to_armored_string(ArmorOptions::default())
            .map_err(|e| SecretKeyError::Failed { doing: "write the public key down", why: e.to_string() })
    }

    /// The fingerprint of the (primary) key.
    pub fn fingerprint(&self) -> KeyFingerprint {
        KeyFingerprint::of(&self.key.primary_key)
    }

    /// What the `rpm` crate signs headers with.
    pub fn new_rpm_header_signer(&self) -> rpm::signature::pgp::Signer {
        self.signer.clone()
    }

    /// Signs `data` at `time` (seconds since 1970); the armored signature goes into a file beside it.
    pub fn sign_detached(&self, data: &[u8], time: u32) -> Result<String, SecretKeyError> {
        // The same choice as the signer of packages makes: a subkey made for signing comes first.
        let subkey = self
            .key
            .secret_subkeys
            .iter()
            .find(|sub| sub.signatures.iter().any(|signature| signature.key_flags().sign()));
        match subkey {
            Some(sub) => sign(&sub.key, data, time),
            None => sign(&self.key.primary_key, data, time),
        }
        .map_err(|e| SecretKeyError::Failed { doing: "sign", why: e.to_string() })
    }
}

fn sign(key: &impl SigningKey, data: &[u8], time: u32) -> pgp::errors::Result<String> {
    let mut config = SignatureConfig::v4(SignatureType::Binary, key.algorithm(), HashAlgorithm::Sha256);
    config.hashed_subpackets = vec![
        Subpacket::regular(SubpacketData::SignatureCreationTime(Timestamp::from_secs(time)))?,
        Subpacket::regular(SubpacketData::IssuerFingerprint(key.fingerprint()))?,
    ];
    // gpg before 2.2 looks the key up by its short id only.
    config.unhashed_subpackets = vec![Subpacket::regular(SubpacketData::IssuerKeyId(key.legacy_key_id()))?];
    let signature = config.sign(key, &Password::empty(), data)?;
    DetachedSignature::new(signature).to_armored_string(ArmorOptions::default())
}
