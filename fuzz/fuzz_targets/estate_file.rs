//! A file of an estate: its path in the first line, its text after it.
#![no_main]

use libfuzzer_sys::fuzz_target;
use model::format::estate::{EstateYamlByPath, estate_to_yaml_by_path, parse_estate_yaml};

fuzz_target!(|input: &str| {
    let Some((path, text)) = input.split_once('\n') else { return };
    let documents = EstateYamlByPath::from([(path.to_owned(), text.to_owned())]);
    let Ok(estate) = parse_estate_yaml(&documents) else { return };
    let written = estate_to_yaml_by_path(&estate);
    let again = parse_estate_yaml(&written).expect("what was written can be read");
    assert_eq!(again, estate, "{written:?}");
});
