//! Signatures of node files: one comment line at the end, over every byte before it.
//!
//! What is signed (Ed25519, RFC 8032) is the SHA-256 of these bytes behind a fixed text, so that it is no signature of
//! anything else. Ed25519 alone reads its message twice, with a slower hash: a node file can have hundreds of kilobytes.

use base64::{Engine, engine::general_purpose::STANDARD as BASE64};
use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey};
use sha2::{Digest, Sha256};

use super::yaml::FormatError;

const PREFIX: &str = "# signature: ed25519-sha256 ";

/// What stands before the digest that is signed.
const SIGNED_CONTEXT: &[u8] = b"geppetto node file\n";

/// Signs a node file; a signature it already has is replaced.
pub fn sign_node_yaml(text: &str, key: &SigningKey) -> String {
    let mut body = split(text).map_or(text, |(body, _)| body).to_owned();
    if !body.ends_with('\n') {
        body.push('\n');
    }
    let signature = BASE64.encode(key.sign(&signed_message(&body)).to_bytes());
    format!("{body}{PREFIX}{} {signature}\n", public_key_id(&key.verifying_key()))
}

/// Checks that `text` was signed by `key` and not changed since; `file` is its name in errors.
pub fn verify_node_file_signature(file: &str, text: &str, key: &VerifyingKey) -> Result<(), FormatError> {
    let wrong = |message: String| Err(FormatError::new(file, message));
    let mine = public_key_id(key);
    let Some((body, line)) = split(text) else {
        return wrong(format!(
            "it is not signed, and this host only takes node files signed by key {mine}. \
             Fetch it from the back-office, or allow unsigned files if you wrote it yourself"
        ));
    };
    let (id, encoded) = line.split_once(' ').unwrap_or((line, ""));
    if id != mine {
        let id: String = id.chars().filter(char::is_ascii_hexdigit).take(16).collect();
        return wrong(format!(
            "it is signed by key {id}, and this host only trusts key {mine}. \
             If the back-office has a new key, join this server again"
        ));
    }
    let signature = BASE64.decode(encoded).ok().and_then(|bytes| Signature::from_slice(&bytes).ok());
    match signature {
        Some(signature) if key.verify_strict(&signed_message(body), &signature).is_ok() => Ok(()),
        _ => wrong(format!(
            "its content does not match its signature by key {mine}: it was changed or cut off after signing. \
             Fetch it again from the back-office"
        )),
    }
}

/// Whether the last line is a signature; whether it holds is for [`verify_node_file_signature`] to say.
pub fn has_signature_line(text: &str) -> bool {
    split(text).is_some()
}

/// The first 16 hexadecimal digits of the key's SHA-256.
pub fn public_key_id(key: &VerifyingKey) -> String {
    bytes_to_hex(&Sha256::digest(key.as_bytes())[..8])
}

/// Bytes in hexadecimal.
pub(super) fn bytes_to_hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn signed_message(body: &str) -> Vec<u8> {
    [SIGNED_CONTEXT, &Sha256::digest(body)].concat()
}

/// What is signed, and what follows the prefix on the last line.
fn split(text: &str) -> Option<(&str, &str)> {
    let trimmed = text.strip_suffix('\n').unwrap_or(text);
    let start = trimmed.rfind('\n').map_or(0, |at| at + 1);
    let line = trimmed[start..].strip_prefix(PREFIX)?;
    Some((&text[..start], line))
}
