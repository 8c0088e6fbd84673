//! An RPM file from the network: its headers, its digests, its signature, and what it says of its component.
#![no_main]

use std::fs;

use libfuzzer_sys::fuzz_target;
use packaging::{
    inspect::{inspect_package_and_verify_digests, read_package_name_version_arch},
    openpgp::TrustedPublicKeys,
};
use tempfile::TempDir;

thread_local! {
    static FOLDER: TempDir = tempfile::tempdir().expect("a folder");
}

fuzz_target!(|bytes: &[u8]| {
    FOLDER.with(|folder| {
        let rpm = folder.path().join("a.rpm");
        fs::write(&rpm, bytes).expect("a file");
        let _ = read_package_name_version_arch(&rpm);
        let _ = inspect_package_and_verify_digests(&rpm);
        assert!(TrustedPublicKeys::default().verify_rpm_file(&rpm).is_err(), "nobody is trusted");
    });
});
