//! What `packaging` promises, judged by the real tools.

#![expect(clippy::unwrap_used, reason = "a test that cannot set itself up must fail")]
#![expect(clippy::print_stdout, reason = "rpmlint is quoted")]

mod absent_manifest;
mod agreement_with_rpm;
mod archetypes;
mod calendars;
mod components;
mod documents;
mod lint;
mod openpgp;
mod packages;
mod repository;
mod shipped;
mod sources;
mod tools;
mod updates;
mod version_order;
mod versions;

#[path = "../../../../tests/skip.rs"]
mod skip;
