//! Passwords: which are good enough, and what is kept of them (argon2id, RFC 9106, in PHC form).

use argon2::{
    Argon2,
    password_hash::{PasswordHash, PasswordHasher, PasswordVerifier, SaltString, rand_core::OsRng},
};

/// The fewest characters.
const MIN_CHARACTERS: usize = 12;
/// The fewest different characters.
const MIN_DIFFERENT_CHARACTERS: usize = 6;
/// The most bytes: more would only make the hash slower.
const MAX_BYTES: usize = 512;

/// Why a password is not good enough, as a sentence; nothing when it is.
pub(crate) fn weak_password_reason(password: &str, user: &str) -> Option<String> {
    let characters: Vec<char> = password.chars().collect();
    let mut different = characters.clone();
    different.sort_unstable();
    different.dedup();
    // Neighbours on the way up or down, as in `abcdef` and `654321`.
    let in_order =
        characters.windows(2).filter(|pair| (pair[0] as u32).abs_diff(pair[1] as u32) == 1).count();
    if password.len() > MAX_BYTES {
        Some(format!("it has more than {MAX_BYTES} bytes"))
    } else if characters.len() < MIN_CHARACTERS {
        Some(format!(
            "it has fewer than {MIN_CHARACTERS} characters; three or four words that belong to no sentence make a good one"
        ))
    } else if different.len() < MIN_DIFFERENT_CHARACTERS {
        Some(format!("it has fewer than {MIN_DIFFERENT_CHARACTERS} different characters"))
    } else if in_order * 2 > characters.len() {
        Some("most of its characters follow each other in the alphabet".to_owned())
    } else if password.to_lowercase().contains(&user.to_lowercase()) {
        Some("it contains the name of the user".to_owned())
    } else {
        None
    }
}

/// What is kept of a password. Takes a good part of a second of CPU on purpose: call it where it may block.
///
/// # Errors
///
/// When the machine has no memory for it, as a sentence.
pub(crate) fn hash_password(password: &str) -> Result<String, String> {
    let salt = SaltString::generate(&mut OsRng);
    let hash = Argon2::default().hash_password(password.as_bytes(), &salt);
    hash.map(|hash| hash.to_string()).map_err(|error| format!("the password cannot be hashed: {error}"))
}

/// Whether this is the password. Without anything to compare it with it takes as long, and is not. Blocks as [`hash_password`].
pub(crate) fn verify_password(password: &str, hash: Option<&str>) -> bool {
    // What argon2id makes of something that nobody typed, with the parameters of all others.
    const OF_NOBODY: &str =
        "$argon2id$v=19$m=19456,t=2,p=1$Z2VwcGV0dG8tbm9ib2R5$k1u3QqLhYpYH1mIuW3VwA0D8J2m3vB1m1m9yQk6b1yM";
    let compare = |hash: &str| {
        let parsed = PasswordHash::new(hash);
        parsed.is_ok_and(|parsed| Argon2::default().verify_password(password.as_bytes(), &parsed).is_ok())
    };
    match hash {
        Some(hash) if password.len() <= MAX_BYTES => compare(hash),
        _ => {
            compare(OF_NOBODY);
            false
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashed_password_is_verified_and_no_other() {
        let hash = hash_password("plum lantern orbit").unwrap();
        assert!(hash.starts_with("$argon2id$"), "{hash}");
        assert!(verify_password("plum lantern orbit", Some(&hash)));
        assert!(!verify_password("plum lantern orbiT", Some(&hash)));
        assert!(!verify_password("plum lantern orbit", None));
        assert!(!verify_password("", Some("damaged")));
    }

    #[test]
    fn weak_passwords_are_refused_with_the_reason() {
        for (password, reason) in [
            ("short", "fewer than 12 characters"),
            ("aaaaaaaaaaaaaaaa", "different characters"),
            ("abcdefghijklmnop", "follow each other"),
            ("my-name-is-Grace-1", "name of the user"),
        ] {
            let said = weak_password_reason(password, "grace").unwrap_or_default();
            assert!(said.contains(reason), "{password}: {said}");
        }
        assert!(weak_password_reason(&"ab1-".repeat(200), "grace").unwrap().contains("bytes"));
        assert_eq!(weak_password_reason("plum lantern orbit", "grace"), None);
    }
}
