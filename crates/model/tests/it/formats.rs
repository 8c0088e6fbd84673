//! The node file and the estate's files: what is written is what is read back.

use model::format::{estate, node};
use proptest::prelude::*;

use crate::random;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn written_node_file_reads_back_equal(wanted in random::node()) {
        let text = node::node_to_yaml(&wanted);
        let read = node::parse_node_yaml("node.yaml", &text);
        prop_assert_eq!(read.as_ref(), Ok(&wanted), "{}", text);
        prop_assert_eq!(node::node_to_yaml(&wanted), text);
    }

    #[test]
    fn exported_estate_imports_equal(wanted in random::estate()) {
        let documents = estate::estate_to_yaml_by_path(&wanted);
        let read = estate::parse_estate_yaml(&documents);
        prop_assert_eq!(read.as_ref(), Ok(&wanted), "{:#?}", documents);
    }
}
