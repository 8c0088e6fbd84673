//! A node file, and its signature: nothing that is not signed by the key is taken.
#![no_main]

use ed25519_dalek::SigningKey;
use libfuzzer_sys::fuzz_target;
use model::format::node::{node_to_yaml, parse_node_yaml, sign_node_yaml, verify_node_file_signature};

fuzz_target!(|text: &str| {
    let key = SigningKey::from_bytes(&[7; 32]);
    assert!(verify_node_file_signature("node.yaml", text, &key.verifying_key()).is_err(), "a forged signature");
    let Ok(node) = parse_node_yaml("node.yaml", text) else { return };
    let written = node_to_yaml(&node);
    let again = parse_node_yaml("node.yaml", &written).expect("what was written can be read");
    assert_eq!(again, node, "{written}");
    let signed = sign_node_yaml(&written, &key);
    verify_node_file_signature("node.yaml", &signed, &key.verifying_key()).expect("what was signed is taken");
});
