//! The public half: trusted keys, and whether a signature is by one of them.

use std::{
    collections::BTreeMap,
    io::{BufReader, Read},
    path::Path,
};

use pgp::{
    armor::Dearmor,
    composed::{ArmorOptions, Deserializable, DetachedSignature, SignedPublicKey, SignedPublicSubKey},
    crypto::hash::HashAlgorithm,
    packet::{Packet, PacketParser, Signature, SignatureType},
    types::{KeyDetails, VerifyingKey},
};

use super::KeyFingerprint;
use crate::rpm_file::{RpmFile, RpmReadOrVerifyError};

const BEGIN: &str = "-----BEGIN PGP PUBLIC KEY BLOCK-----";

const BEGIN_SECRET: &str = "-----BEGIN PGP PRIVATE KEY BLOCK-----";

/// How much of a holder's name is shown.
const MAX_NAME_CHARS: usize = 200;

/// Whether the text holds an armored secret key.
pub fn is_armored_secret_key(text: &str) -> bool {
    text.contains(BEGIN_SECRET)
}

/// Why a signature does not count.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    /// The text holds no usable certificate.
    #[error("no public OpenPGP key could be read: {0}")]
    NoKey(String),
    /// The certificate says that its key must not be used any more.
    #[error(
        "key {0} has been revoked by its holder, so it cannot be trusted; if it was trusted before, take it back: `punch key withdraw {0}`"
    )]
    Revoked(KeyFingerprint),
    /// The text holds a revocation, without the key that it is of.
    #[error(
        "it holds the revocation of a key and not the key; if the key is trusted, take it back: `punch key withdraw FINGERPRINT`, `punch key list` shows which"
    )]
    RevocationAlone,
    /// The text holds a secret key.
    #[error(
        "it is a secret key, which only its holder may have; its public half is wanted, as `punch key public FILE` prints it"
    )]
    SecretKey,
    /// The bytes are no signature.
    #[error("the signature cannot be read: {0}")]
    Unreadable(String),
    /// The key is not trusted.
    #[error("it is signed by key {signer}, which is not trusted here (trusted: {trusted})")]
    UnknownKey {
        /// The key named in the signature.
        signer: String,
        /// The keys that are trusted.
        trusted: String,
    },
    /// The key is not for signing.
    #[error("it is signed by key {0}, which is not meant for signing")]
    NotForSigning(KeyFingerprint),
    /// A digest that can be forged.
    #[error("its signature uses {0}, which can be forged: sign it again with SHA-256 or better")]
    WeakDigest(String),
    /// The signature is not by that key over these bytes.
    #[error("its signature by key {0} does not fit: it was changed after signing")]
    Broken(KeyFingerprint),
    /// The signature is younger than its key's life.
    #[error("it was signed by key {0} after that key had expired")]
    Expired(KeyFingerprint),
}

/// Who made a signature that counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct VerifiedSigner {
    /// The (primary) key of the certificate.
    pub(crate) key: KeyFingerprint,
    /// The subkey that signed, if it was not the primary key.
    pub(crate) subkey: Option<SigningSubkey>,
}

/// A subkey that signs for its primary key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SigningSubkey {
    pub(crate) fingerprint: KeyFingerprint,
    /// When it expires, in seconds since 1970; `None` if it does not.
    pub(crate) expires: Option<u64>,
    pub(crate) revoked: bool,
}

impl SigningSubkey {
    fn new(subkey: &SignedPublicSubKey) -> Self {
        let newest = newest_binding(subkey);
        let life = newest.and_then(Signature::key_expiration_time).map_or(0, |life| life.as_secs());
        let created = u64::from(subkey.key.created_at().as_secs());
        Self {
            fingerprint: KeyFingerprint::of(&subkey.key),
            expires: (life > 0).then(|| created + u64::from(life)),
            revoked: subkey
                .signatures
                .iter()
                .any(|statement| statement.typ() == Some(SignatureType::SubkeyRevocation)),
        }
    }
}

/// The certificates whose signatures are trusted.
#[derive(Debug, Clone, Default)]
pub struct TrustedPublicKeys {
    keys: Vec<SignedPublicKey>,
}

impl TrustedPublicKeys {
    /// Reads one or more armored certificates, one after the other. Revoked ones are refused.
    pub fn from_armored_certificates(text: &str) -> Result<Self, SignatureError> {
        if is_armored_secret_key(text) {
            return Err(SignatureError::SecretKey);
        }
        let mut keys: Vec<SignedPublicKey> = Vec::new();
        for block in blocks(text) {
            if is_revocation_alone(block) {
                return Err(SignatureError::RevocationAlone);
            }
            let (found, _) =
                SignedPublicKey::from_string_many(block).map_err(|e| SignatureError::NoKey(e.to_string()))?;
            for key in found {
                let key = key.map_err(|e| SignatureError::NoKey(e.to_string()))?;
                let name = KeyFingerprint::of(&key.primary_key);
                key.verify_bindings()
                    .map_err(|e| SignatureError::NoKey(format!("key {name} is damaged: {e}")))?;
                if !key.details.revocation_signatures.is_empty() {
                    return Err(SignatureError::Revoked(name));
                }
                if !keys.iter().any(|known| known.fingerprint() == key.fingerprint()) {
                    keys.push(key);
                }
            }
        }
        if keys.is_empty() {
            return Err(SignatureError::NoKey(format!("a key starts with a line `{BEGIN}`")));
        }
        Ok(Self { keys })
    }

    /// Those of these keys of which `others` has no certificate.
    pub(crate) fn without_keys_of(&self, others: &Self) -> Self {
        let known = others.fingerprints();
        let keys = self.keys.iter().filter(|key| !known.contains(&KeyFingerprint::of(&key.primary_key)));
        Self { keys: keys.cloned().collect() }
    }

    /// Whose keys these are, by fingerprint: the first name of each certificate that is readable text.
    pub(crate) fn holders(&self) -> BTreeMap<KeyFingerprint, String> {
        let holder = |key: &SignedPublicKey| {
            let names = key.details.users.iter().filter_map(|user| user.id.as_str());
            let name = names.map(printable_name).find(|name| !name.is_empty())?;
            Some((KeyFingerprint::of(&key.primary_key), name))
        };
        self.keys.iter().filter_map(holder).collect()
    }

    /// The certificates, armored, one after the other.
    pub(crate) fn to_armored_text(&self) -> Result<String, SignatureError> {
        let armored = |key: &SignedPublicKey| {
            let text = key.to_armored_string(ArmorOptions::default());
            text.map_err(|error| SignatureError::NoKey(error.to_string()))
        };
        let blocks: Result<Vec<String>, _> = self.keys.iter().map(armored).collect();
        Ok(blocks?.into_iter().map(|block| block.trim_end().to_owned() + "\n").collect())
    }

    /// The fingerprints of all (primary) keys, and when each expires, in seconds since 1970.
    pub(crate) fn fingerprints_and_expiry(&self) -> Vec<(KeyFingerprint, Option<u64>)> {
        let expiry = |key: &SignedPublicKey| {
            let life = u64::from(key_lifetime(key)?.as_secs());
            (life > 0).then(|| u64::from(key.primary_key.created_at().as_secs()) + life)
        };
        self.keys.iter().map(|key| (KeyFingerprint::of(&key.primary_key), expiry(key))).collect()
    }

    /// The fingerprints of all (primary) keys.
    pub fn fingerprints(&self) -> Vec<KeyFingerprint> {
        self.keys.iter().map(|key| KeyFingerprint::of(&key.primary_key)).collect()
    }

    /// Verifies an armored detached signature over `data`; returns the fingerprint of the (primary) key.
    pub fn verify_detached_signature(
        &self,
        data: &[u8],
        signature: &str,
    ) -> Result<KeyFingerprint, SignatureError> {
        let (signature, _) = DetachedSignature::from_string(signature)
            .map_err(|e| SignatureError::Unreadable(e.to_string()))?;
        self.verify(&signature.signature, data).map(|signer| signer.key)
    }

    /// Checks an RPM file: its header is signed by one of these keys, and its content is what that header
    /// says. Reads the file once; only its headers are held in memory.
    pub fn verify_rpm_file(&self, path: &Path) -> Result<KeyFingerprint, RpmReadOrVerifyError> {
        let mut rpm_file = RpmFile::open_and_read_headers(path)?;
        let signer = rpm_file.verify_header_signature(self)?;
        rpm_file.verify_payload_and_hash_whole_file()?;
        Ok(signer.key)
    }

    /// Checks a signature packet, as RPM headers carry them, over `data`. Nothing may follow it.
    pub(crate) fn verify_signature_packet(
        &self,
        data: impl Read,
        packet: &[u8],
    ) -> Result<VerifiedSigner, SignatureError> {
        let mut packets = PacketParser::new(packet);
        let (first, second) = (packets.next(), packets.next());
        let (Some(Ok(Packet::Signature(signature))), None) = (first, second) else {
            return Err(SignatureError::Unreadable("it is not one OpenPGP signature".to_owned()));
        };
        self.verify(&signature, data)
    }

    fn verify(&self, signature: &Signature, data: impl Read) -> Result<VerifiedSigner, SignatureError> {
        match signature.hash_alg() {
            None => return Err(SignatureError::Unreadable("its version is unknown".to_owned())),
            Some(weak @ (HashAlgorithm::Md5 | HashAlgorithm::Sha1 | HashAlgorithm::Ripemd160)) => {
                return Err(SignatureError::WeakDigest(weak.to_string()));
            }
            Some(_) => (),
        }
        for key in &self.keys {
            let name = KeyFingerprint::of(&key.primary_key);
            if made_by(signature, &key.primary_key) {
                // Without key flags a primary key is for everything (RFC 9580, 5.2.3.29).
                let mut statements = key.details.users.iter().flat_map(|user| &user.signatures);
                let statements: Vec<_> =
                    key.details.direct_signatures.iter().chain(&mut statements).collect();
                let life = key_lifetime(key);
                check(signature, &key.primary_key, &statements, life, &name, data)?;
                return Ok(VerifiedSigner { key: name, subkey: None });
            }
            for sub in &key.public_subkeys {
                if made_by(signature, &sub.key) {
                    let statements: Vec<_> = sub.signatures.iter().collect();
                    let life = newest_binding(sub).and_then(Signature::key_expiration_time);
                    check(signature, &sub.key, &statements, life, &name, data)?;
                    return Ok(VerifiedSigner { key: name, subkey: Some(SigningSubkey::new(sub)) });
                }
            }
        }
        Err(SignatureError::UnknownKey {
            signer: signer(signature),
            trusted: match self.fingerprints().as_slice() {
                [] => "none".to_owned(),
                keys => keys.iter().map(KeyFingerprint::as_str).collect::<Vec<_>>().join(", "),
            },
        })
    }
}

/// A name as its holder wrote it, without control characters and not longer than a line.
fn printable_name(name: &str) -> String {
    let printable: String = name.chars().filter(|c| !c.is_control()).take(MAX_NAME_CHARS).collect();
    printable.trim().to_owned()
}

/// What the newest statement about a primary key says of how long it lives.
fn key_lifetime(key: &SignedPublicKey) -> Option<pgp::types::Duration> {
    let of_users = key.details.users.iter().flat_map(|user| &user.signatures);
    let statements = key.details.direct_signatures.iter().chain(of_users);
    let newest = statements
        .filter(|statement| statement.key_expiration_time().is_some())
        .max_by_key(|statement| statement.created().map(|made| made.as_secs()));
    newest.and_then(|statement| statement.key_expiration_time())
}

/// The newest statement of a primary key about its subkey. A renewed certificate may hold earlier ones as well.
fn newest_binding(subkey: &SignedPublicSubKey) -> Option<&Signature> {
    let bindings =
        subkey.signatures.iter().filter(|statement| statement.typ() == Some(SignatureType::SubkeyBinding));
    bindings.max_by_key(|statement| statement.created().map(|made| made.as_secs()))
}

/// The armored certificates in `text`, each from its first line to the next one's.
fn blocks(text: &str) -> impl Iterator<Item = &str> {
    let starts: Vec<usize> = text.match_indices(BEGIN).map(|(at, _)| at).collect();
    let ends: Vec<usize> = starts.iter().skip(1).copied().chain([text.len()]).collect();
    starts.into_iter().zip(ends).map(move |(start, end)| &text[start..end])
}

/// Whether an armored block is a revocation as `gpg` writes it beside each key.
fn is_revocation_alone(block: &str) -> bool {
    let bytes = BufReader::new(Dearmor::new(block.as_bytes()));
    matches!(
        PacketParser::new(bytes).next(),
        Some(Ok(Packet::Signature(statement))) if statement.typ() == Some(SignatureType::KeyRevocation)
    )
}

fn made_by(signature: &Signature, key: &impl KeyDetails) -> bool {
    let fingerprints = signature.issuer_fingerprint();
    if fingerprints.is_empty() {
        return signature.issuer_key_id().into_iter().any(|id| *id == key.legacy_key_id());
    }
    fingerprints.into_iter().any(|fingerprint| *fingerprint == key.fingerprint())
}

fn signer(signature: &Signature) -> String {
    if let Some(fingerprint) = signature.issuer_fingerprint().first() {
        return hex::encode_upper(fingerprint.as_bytes());
    }
    match signature.issuer_key_id().first() {
        Some(id) => id.to_string().to_uppercase(),
        None => "(not named)".to_owned(),
    }
}

fn check<K: VerifyingKey + KeyDetails>(
    signature: &Signature,
    key: &K,
    statements: &[&Signature],
    life: Option<pgp::types::Duration>,
    name: &KeyFingerprint,
    data: impl Read,
) -> Result<(), SignatureError> {
    let flagged: Vec<_> = statements
        .iter()
        .filter(|statement| statement.key_flags() != pgp::packet::KeyFlags::default())
        .collect();
    if !flagged.is_empty() && !flagged.iter().any(|statement| statement.key_flags().sign()) {
        return Err(SignatureError::NotForSigning(name.clone()));
    }
    if signature.verify(key, data).is_err() {
        return Err(SignatureError::Broken(name.clone()));
    }
    let life = life.map_or(0, |life| u64::from(life.as_secs()));
    let age = signature.created().map_or(u64::MAX, |made| {
        u64::from(made.as_secs()).saturating_sub(u64::from(key.created_at().as_secs()))
    });
    if life > 0 && age > life {
        return Err(SignatureError::Expired(name.clone()));
    }
    Ok(())
}
