//! The tests of the model, one module a subject.

#![expect(clippy::unwrap_used, reason = "a test that cannot set itself up must fail")]

mod all_faults;
mod blocked;
mod cases;
mod change;
mod deployments;
mod documents;
mod edits;
mod enc;
mod formats;
mod hostile;
mod manifest;
mod mistakes;
mod naive;
mod needs;
mod owners;
mod parameters;
mod plan;
mod random;
mod reach;
mod references;
mod refusals;
mod removals;
mod resolution;
mod selections;
mod signatures;
mod user_defaults;

#[path = "../../../../tests/skip.rs"]
mod skip;
