//! Versions: three lines, compared with each other in every way.
#![no_main]

use std::cmp::Ordering;

use libfuzzer_sys::fuzz_target;
use model::version::Version;

fuzz_target!(|text: &str| {
    let versions: Vec<Version> = text.lines().take(3).filter_map(|line| line.parse().ok()).collect();
    for a in &versions {
        assert_eq!(a.to_string().parse::<Version>().expect("a version is written as it is read"), *a);
        for b in &versions {
            assert_eq!(a.cmp(b), b.cmp(a).reverse(), "{a} {b}");
            for c in &versions {
                if a.cmp(b) != Ordering::Greater && b.cmp(c) != Ordering::Greater {
                    assert_ne!(a.cmp(c), Ordering::Greater, "{a} {b} {c}");
                }
            }
        }
    }
});
