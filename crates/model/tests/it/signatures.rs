//! Node files are signed, numbered, and never go back.

use std::sync::Arc;

use ed25519_dalek::SigningKey;
use model::{
    format::node,
    node::{EpochAndGeneration, Node, digest_node_content},
};
use proptest::prelude::*;

use crate::random;

const GOLDEN: &str = include_str!("../golden/node.yaml");

fn key(seed: u8) -> SigningKey {
    SigningKey::from_bytes(&[seed; 32])
}

#[test]
fn golden_node_file_is_read_written_and_verified_byte_for_byte() {
    let read = node::parse_node_yaml("node.yaml", GOLDEN).unwrap();
    #[expect(clippy::disallowed_methods, reason = "a switch for whoever runs the tests")]
    if std::env::var("UPDATE").is_ok() {
        let file = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/node.yaml");
        std::fs::write(file, node::sign_node_yaml(&node::node_to_yaml(&read), &key(7))).unwrap();
    }
    assert_eq!(node::sign_node_yaml(&node::node_to_yaml(&read), &key(7)), GOLDEN);
    assert_eq!(node::verify_node_file_signature("node.yaml", GOLDEN, &key(7).verifying_key()), Ok(()));
    assert_eq!(
        digest_node_content(&read).to_string(),
        "8fdeb2f4f11dec283d7eff614eff9cd6d37f8f6ee93bb7015befb33c388a26f4"
    );
}

#[test]
fn unsigned_foreign_key_and_forged_node_files_have_different_errors() {
    let mine = key(1).verifying_key();
    let text = "format: geppetto/node/1\ncomponents: {}\n";
    let says =
        |text: &str| node::verify_node_file_signature("node.yaml", text, &mine).unwrap_err().to_string();
    assert!(!node::has_signature_line(text));
    assert!(says(text).starts_with("node.yaml: it is not signed"), "{}", says(text));
    assert!(says("").starts_with("node.yaml: it is not signed"));

    let signed = node::sign_node_yaml(text, &key(1));
    assert!(node::has_signature_line(&signed));
    assert_eq!(node::verify_node_file_signature("node.yaml", &signed, &mine), Ok(()));
    assert_eq!(node::sign_node_yaml(&signed, &key(1)), signed, "signing again replaces the signature");

    let other = node::sign_node_yaml(text, &key(2));
    assert!(says(&other).contains("signed by key"), "{}", says(&other));
    assert!(says(&other).contains(&format!("only trusts key {}", node::public_key_id(&mine))));

    let forged = other.replace(&node::public_key_id(&key(2).verifying_key()), &node::public_key_id(&mine));
    assert!(says(&forged).contains("does not match its signature"), "{}", says(&forged));
    let changed = signed.replace("components: {}", "components:  {}");
    assert!(says(&changed).contains("changed or cut off"), "{}", says(&changed));
    let more = format!("{signed}generation: 9\n");
    assert!(says(&more).contains("not signed"), "what follows the signature is not covered by it");
    assert!(says(&signed.replace(" ed25519-sha256 ", " rsa ")).contains("not signed"));
}

fn number(epoch: u64, generation: u64) -> EpochAndGeneration {
    EpochAndGeneration { epoch, generation }
}

#[test]
fn older_generation_or_changed_content_of_the_same_generation_is_refused() {
    let check = |last: Option<(u64, &str)>, new: (u64, &str)| {
        let in_first_epoch = |(generation, digest)| (number(1, generation), digest);
        node::check_generation_may_follow(last.map(in_first_epoch), in_first_epoch(new))
    };
    assert_eq!(check(None, (3, "a")), Ok(()));
    assert_eq!(check(Some((3, "a")), (3, "a")), Ok(()));
    assert_eq!(check(Some((3, "a")), (4, "a")), Ok(()));
    assert_eq!(check(Some((3, "a")), (0, "b")), Ok(()), "written by hand");
    assert_eq!(check(Some((0, "a")), (1, "b")), Ok(()));
    let older = check(Some((3, "a")), (2, "b")).unwrap_err();
    assert!(older.starts_with("generation 2 is older than generation 3"), "{older}");
    let other = check(Some((3, "a")), (3, "b")).unwrap_err();
    assert!(other.starts_with("generation 3 has other content"), "{other}");
}

#[test]
fn older_generation_of_a_higher_epoch_is_accepted_and_a_higher_one_of_an_older_epoch_refused() {
    let check = node::check_generation_may_follow;
    assert_eq!(check(Some((number(1, 50), "a")), (number(2, 10), "b")), Ok(()));
    let replayed = check(Some((number(2, 10), "b")), (number(1, 51), "c")).unwrap_err();
    assert!(
        replayed.starts_with("generation 51 was made before the control plane was recovered"),
        "{replayed}"
    );
}

/// The node without what does not count for its digest.
fn without_provenance(node: &Node) -> Node {
    let mut node = node.clone();
    for component in node.components.values_mut().map(Arc::make_mut) {
        component.requirements = Arc::default();
        for value in component.values.values_mut().map(Arc::make_mut) {
            value.provenance = Arc::default();
        }
    }
    node
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn signed_node_file_verifies_and_reads_back_equal(wanted in random::node()) {
        let signed = node::sign_node_yaml(&node::node_to_yaml(&wanted), &key(3));
        prop_assert_eq!(node::verify_node_file_signature("n", &signed, &key(3).verifying_key()), Ok(()));
        prop_assert_eq!(node::parse_node_yaml("n", &signed), Ok(wanted));
    }

    #[test]
    fn changed_byte_of_a_signed_node_file_fails_verification(at in 0..GOLDEN.len(), byte in any::<u8>()) {
        let mut bytes = GOLDEN.as_bytes().to_vec();
        prop_assume!(bytes[at] != byte);
        // The line end after the signature is not part of anything.
        prop_assume!(at + 1 < bytes.len());
        bytes[at] = byte;
        if let Ok(text) = String::from_utf8(bytes) {
            prop_assert!(node::verify_node_file_signature("n", &text, &key(7).verifying_key()).is_err());
        }
    }

    #[test]
    fn content_digest_ignores_only_generation_and_provenance(
        one in random::node(),
        other in random::node(),
        generation in any::<u64>(),
    ) {
        let mut renumbered = one.clone();
        renumbered.generation = generation;
        prop_assert_eq!(digest_node_content(&one), digest_node_content(&renumbered));
        let same = without_provenance(&one) == Node { generation: one.generation, ..without_provenance(&other) };
        prop_assert_eq!(digest_node_content(&one) == digest_node_content(&other), same);
    }
}
