//! Metadata of a YUM repository: `repomd.xml`, and the list of packages.
#![no_main]

use libfuzzer_sys::fuzz_target;
use packaging::repository_metadata::{for_each_package_in_primary, parse_primary_location_in_repomd};

fuzz_target!(|bytes: &[u8]| {
    if let Ok(text) = str::from_utf8(bytes) {
        let _ = parse_primary_location_in_repomd(text);
    }
    let _ = for_each_package_in_primary(bytes, |package| {
        assert!(!package.href.starts_with('/') && !package.href.contains(".."), "{}", package.href);
    });
});
