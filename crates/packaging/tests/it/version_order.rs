//! Our order of versions is that of `rpm` itself, whatever the versions.

use std::process::Command;

use model::version::Version;
use proptest::{collection, prelude::*};

use crate::{skip::has_tool, tools::run};

/// Parts that `rpm` treats in ways of their own: numbers with zeros in front, letters, separators, `~` and `^`.
fn part() -> impl Strategy<Value = String> {
    prop_oneof![
        3 => "[0-9]{1,2}([.][0-9]{1,2}){0,2}([~^](rc|git|a)?[0-9]{0,2}){0,2}",
        1 => "[0a1]([0-9a-bA-B._+~^]){0,6}",
        1 => "(0{1,3}[1-9]|1[.]{1,2}0|1[.]?a|1_[01]|20261201|[0-9]{20,22})",
    ]
}

fn version() -> impl Strategy<Value = Version> {
    (part(), proptest::option::of(part()))
        .prop_map(|(version, release)| Version::new(&version, release.as_deref()).unwrap())
}

/// What `rpm` says of each pair: -1, 0 or 1.
fn compared_by_rpm(pairs: &[(Version, Version)]) -> Vec<i32> {
    let lines = pairs.iter().map(|(one, other)| format!("print(rpm.vercmp('{one}','{other}'), '') "));
    let printed =
        run(Command::new("rpm").arg("--eval").arg(format!("%{{lua: {}}}", lines.collect::<String>())));
    printed.split_whitespace().map(|order| order.parse().unwrap()).collect()
}

proptest! {
    // Each case asks `rpm` once, about 400 pairs.
    #![proptest_config(ProptestConfig::with_cases(16))]

    #[test]
    fn versions_are_in_the_order_of_rpm(pairs in collection::vec((version(), version()), 400)) {
        if has_tool("rpm") {
            let expected = compared_by_rpm(&pairs);
            prop_assert_eq!(expected.len(), pairs.len());
            for ((one, other), expected) in pairs.iter().zip(expected) {
                prop_assert_eq!(one.cmp(other) as i32, expected, "{} and {}", one, other);
            }
        }
    }
}
