//! Encrypts texts that hold secrets (AES-256-GCM): the database without its key reveals none of them.
//!
//! AES-256-GCM with a random nonce. What a text is of is sealed with it, so that no text passes for another's.

use aes_gcm::{
    Aes256Gcm, Key, Nonce,
    aead::{Aead, AeadCore, KeyInit, OsRng, Payload},
};
use base64::{Engine as _, engine::general_purpose::STANDARD};

use super::StoreError;

/// What a sealed text starts with; the number is of the way it is sealed.
const PREFIX: &str = "sealed1:";
/// The bytes of a nonce.
const NONCE: usize = 12;

/// Seals texts, and opens them again.
#[derive(Clone)]
pub(crate) struct SealingKey(Aes256Gcm);

impl SealingKey {
    /// With this key.
    pub(crate) fn new(key: &[u8; 32]) -> Self {
        Self(Aes256Gcm::new(Key::<Aes256Gcm>::from_slice(key)))
    }

    /// Seals a text; `of` is authenticated with it.
    pub(super) fn seal_text(&self, of: &str, text: &str) -> Result<String, StoreError> {
        let nonce = Aes256Gcm::generate_nonce(&mut OsRng);
        let payload = Payload { msg: text.as_bytes(), aad: of.as_bytes() };
        let sealed = self.0.encrypt(&nonce, payload).map_err(|_| StoreError::Sealed(of.to_owned()))?;
        let mut bytes = nonce.to_vec();
        bytes.extend(sealed);
        Ok(format!("{PREFIX}{}", STANDARD.encode(bytes)))
    }

    /// Opens a text that was sealed with the same `of`.
    pub(super) fn open_sealed_text(&self, of: &str, sealed: &str) -> Result<String, StoreError> {
        let opened = || {
            let bytes = STANDARD.decode(sealed.strip_prefix(PREFIX)?).ok()?;
            let (nonce, sealed) = bytes.split_at_checked(NONCE)?;
            let payload = Payload { msg: sealed, aad: of.as_bytes() };
            let text = self.0.decrypt(Nonce::from_slice(nonce), payload).ok()?;
            String::from_utf8(text).ok()
        };
        opened().ok_or_else(|| StoreError::Sealed(of.to_owned()))
    }
}

impl std::fmt::Debug for SealingKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Seal")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sealed_text_opens_only_with_its_key_and_context() {
        let (mine, other) = (SealingKey::new(&[1; 32]), SealingKey::new(&[2; 32]));
        let sealed = mine.seal_text("roles/a.yaml", "hunter2").unwrap();
        assert!(!sealed.contains("hunter2") && sealed != mine.seal_text("roles/a.yaml", "hunter2").unwrap());
        assert_eq!(mine.open_sealed_text("roles/a.yaml", &sealed).unwrap(), "hunter2");
        for (seal, of, text) in [
            (&other, "roles/a.yaml", sealed.as_str()),
            (&mine, "roles/b.yaml", &sealed),
            (&mine, "roles/a.yaml", &sealed[..sealed.len() - 4]),
            (&mine, "roles/a.yaml", "hunter2"),
            (&mine, "roles/a.yaml", "sealed1:AA=="),
        ] {
            assert!(matches!(seal.open_sealed_text(of, text), Err(StoreError::Sealed(_))), "{of} {text}");
        }
    }
}
