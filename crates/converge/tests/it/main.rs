//! The tests of converge: stories on a host in memory, then the same path on real folders.
#![expect(clippy::unwrap_used, reason = "a test that cannot set itself up must fail")]

mod accounts;
mod acting_as_users;
mod bad_input;
mod deployments;
mod edited_files;
mod histories;
mod host_with_users;
mod killed;
mod machine;
mod memory;
mod ownership_before;
mod packages;
mod partly;
mod payload_conflicts;
mod payload_drift;
mod refusals;
mod repairs;
mod secrets;
mod story;
mod temporary_files;
mod turns;
mod unsafe_paths;

#[path = "../../../../tests/skip.rs"]
mod skip;
