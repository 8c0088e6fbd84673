//! Armored OpenPGP certificates, as somebody has them trusted.
#![no_main]

use libfuzzer_sys::fuzz_target;
use packaging::openpgp::{TrustedPublicKeys, is_armored_secret_key};

fuzz_target!(|text: &str| {
    let _ = is_armored_secret_key(text);
    if let Ok(keys) = TrustedPublicKeys::from_armored_certificates(text) {
        assert!(!keys.fingerprints().is_empty());
    }
});
