//! The node file and the estate's files: what is written is what is read back.

use model::format::{estate, node};
use proptest::prelude::*;

use crate::random;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn a_node_file_read_back_is_the_node_that_was_written(wanted in random::node()) {
        let text = node::write(&wanted);
        let read = node::read("node.yaml", &text);
        prop_assert_eq!(read.as_ref(), Ok(&wanted), "{}", text);
        prop_assert_eq!(node::write(&wanted), text);
    }

    #[test]
    fn an_estate_exported_and_imported_is_the_same_estate(wanted in random::estate()) {
        let documents = estate::write(&wanted);
        let read = estate::read(&documents);
        prop_assert_eq!(read.as_ref(), Ok(&wanted), "{:#?}", documents);
    }
}
