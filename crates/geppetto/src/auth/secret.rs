//! Secrets drawn by the control plane: `gpt_ID_SECRET` for tokens, `gps_` for servers, `gpj_` to join.
//!
//! ID is public: it finds the row and is shown in lists. SECRET has 256 random bits, so that a plain SHA-256
//! is enough to store it: they cannot be enumerated, and a slow hash would only slow down every request.
//! The prefix makes a leaked secret easy to recognise for scanners.

use rand::{CryptoRng, RngCore};
use sha2::{Digest, Sha256};

/// What a secret is good for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SecretKind {
    /// A person's or program's API token.
    Token,
    /// A server's credential.
    Server,
    /// A one-time token to join with.
    Join,
}

impl SecretKind {
    const ALL: [SecretKind; 3] = [SecretKind::Token, SecretKind::Server, SecretKind::Join];

    fn prefix(self) -> &'static str {
        match self {
            SecretKind::Token => "gpt",
            SecretKind::Server => "gps",
            SecretKind::Join => "gpj",
        }
    }
}

/// A secret just drawn. Its text is to be shown once and kept nowhere.
#[derive(Clone, PartialEq, Eq)]
pub struct GeneratedSecret {
    /// The whole of it.
    pub text: String,
    /// Its public part.
    pub id: String,
    /// Its SHA-256, in hexadecimal.
    pub hash: String,
}

impl std::fmt::Debug for GeneratedSecret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Drawn").field("id", &self.id).finish_non_exhaustive()
    }
}

/// Draws a secret.
pub fn generate_secret(kind: SecretKind, chance: &mut (impl RngCore + CryptoRng)) -> GeneratedSecret {
    let mut id = [0; 8];
    chance.fill_bytes(&mut id);
    let mut secret = [0; 32];
    chance.fill_bytes(&mut secret);
    let id = hex::encode(id);
    let text = format!("{}_{id}_{}", kind.prefix(), hex::encode(secret));
    let hash = hash(&text);
    GeneratedSecret { text, id, hash }
}

/// The parts of a secret that a client presents. It is not authenticated yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PresentedSecret {
    /// What it claims to be good for.
    pub kind: SecretKind,
    /// Its public part.
    pub id: String,
    /// Its SHA-256, in hexadecimal.
    pub hash: String,
}

impl PresentedSecret {
    /// Takes the text apart; `None` when it has not the form of a secret.
    pub fn parse(text: &str) -> Option<Self> {
        if text.len() > 128 {
            return None;
        }
        let (prefix, rest) = text.split_once('_')?;
        let kind = SecretKind::ALL.into_iter().find(|kind| kind.prefix() == prefix)?;
        let (id, _) = rest.split_once('_')?;
        Some(Self { kind, id: id.to_owned(), hash: hash(text) })
    }
}

/// Compares two hashes in a time that does not depend on where they differ.
pub fn constant_time_eq(one: &str, other: &str) -> bool {
    let differences = one.bytes().zip(other.bytes()).fold(0, |seen, (a, b)| seen | (a ^ b));
    one.len() == other.len() && std::hint::black_box(differences) == 0
}

fn hash(text: &str) -> String {
    hex::encode(Sha256::digest(text.as_bytes()))
}

#[cfg(test)]
mod tests {
    use rand::rngs::OsRng;

    use super::*;

    #[test]
    fn a_drawn_secret_is_recognised_by_its_hash_and_no_other_is() {
        let drawn = generate_secret(SecretKind::Token, &mut OsRng);
        let shown = PresentedSecret::parse(&drawn.text).unwrap();
        assert_eq!((shown.kind, &shown.id), (SecretKind::Token, &drawn.id));
        assert!(constant_time_eq(&shown.hash, &drawn.hash));
        let mut forged = drawn.text.clone();
        forged.pop();
        assert!(!constant_time_eq(&PresentedSecret::parse(&forged).unwrap().hash, &drawn.hash));
        assert!(!constant_time_eq("", &drawn.hash));
    }

    #[test]
    fn what_is_no_secret_is_taken_apart_without_a_panic() {
        for text in ["", "gpt", "gpt_", "gpt_a", "xyz_a_b", "gpt_é", &"gpt_a_".repeat(100)] {
            assert_eq!(PresentedSecret::parse(text), None, "{text}");
        }
    }

    #[test]
    fn a_drawn_secret_is_not_in_its_debug_form() {
        let drawn = generate_secret(SecretKind::Join, &mut OsRng);
        assert!(!format!("{drawn:?}").contains(&drawn.text));
    }
}
