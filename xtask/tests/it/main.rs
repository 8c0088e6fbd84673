//! The whole chain on one machine, by the commands people type.
#![expect(clippy::unwrap_used, reason = "a test that cannot set itself up must fail")]

mod story;
mod test_environment;
mod verbs;
