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
/// What one starts with that was compressed before.
const COMPRESSED_PREFIX: &str = "sealed1z:";
/// Node files repeat themselves so much that a higher level gains little.
const COMPRESSION_LEVEL: i32 = 1;
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
        self.seal_bytes(PREFIX, of, text.as_bytes())
    }

    /// Compresses a long text and seals it. Who reads the database learns how well it compresses, and so a little more of
    /// it than its length: no text is sealed this way that somebody outside could choose parts of and try again often.
    pub(super) fn compress_and_seal_text(&self, of: &str, text: &str) -> Result<String, StoreError> {
        let compressed = zstd::bulk::compress(text.as_bytes(), COMPRESSION_LEVEL)
            .map_err(|_| StoreError::Sealed(of.to_owned()))?;
        self.seal_bytes(COMPRESSED_PREFIX, of, &compressed)
    }

    fn seal_bytes(&self, prefix: &str, of: &str, bytes: &[u8]) -> Result<String, StoreError> {
        let nonce = Aes256Gcm::generate_nonce(&mut OsRng);
        let payload = Payload { msg: bytes, aad: of.as_bytes() };
        let sealed = self.0.encrypt(&nonce, payload).map_err(|_| StoreError::Sealed(of.to_owned()))?;
        let mut bytes = nonce.to_vec();
        bytes.extend(sealed);
        let mut text = String::with_capacity(prefix.len() + bytes.len().div_ceil(3) * 4);
        text.push_str(prefix);
        STANDARD.encode_string(bytes, &mut text);
        Ok(text)
    }

    /// Opens a text that was sealed with the same `of`, compressed or not.
    pub(super) fn open_sealed_text(&self, of: &str, sealed: &str) -> Result<String, StoreError> {
        let opened = || {
            let compressed = sealed.strip_prefix(COMPRESSED_PREFIX);
            let bytes = STANDARD.decode(compressed.or_else(|| sealed.strip_prefix(PREFIX))?).ok()?;
            let (nonce, payload) = bytes.split_at_checked(NONCE)?;
            let payload = Payload { msg: payload, aad: of.as_bytes() };
            let text = self.0.decrypt(Nonce::from_slice(nonce), payload).ok()?;
            let text = match compressed {
                // What is in there was sealed by this program: its length is as small as that of the text then.
                Some(_) => zstd::stream::decode_all(&*text).ok()?,
                None => text,
            };
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
            (&mine, "roles/a.yaml", &sealed.replace("sealed1:", "sealed1z:")),
        ] {
            assert!(matches!(seal.open_sealed_text(of, text), Err(StoreError::Sealed(_))), "{of} {text}");
        }
    }

    #[test]
    fn compressed_text_is_shorter_and_opens_only_as_what_it_is() {
        let seal = SealingKey::new(&[1; 32]);
        let text = "components: shop hunter2\n".repeat(1000);
        let sealed = seal.compress_and_seal_text("generation 1 of web-01", &text).unwrap();
        assert!(sealed.len() < text.len() / 10, "{} of {}", sealed.len(), text.len());
        assert_eq!(seal.open_sealed_text("generation 1 of web-01", &sealed).unwrap(), text);
        assert!(seal.open_sealed_text("generation 1 of web-02", &sealed).is_err());
        assert!(seal.open_sealed_text("generation 1 of web-01", &sealed.replace("1z:", "1:")).is_err());
    }
}
