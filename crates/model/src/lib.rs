//! Geppetto's nouns and rules, in the order of a component's life.
//!
//! Nothing here reads a file, opens a socket, asks the time or draws a random number: text and values
//! come in, text and values go out. Both programs therefore reach the same answer from the same input.

pub mod name;
pub mod utc_time;
pub mod value;
pub mod version;

pub mod parameter;

pub mod server_selection;

pub mod component;
pub mod path_pattern;

pub mod deployment;
pub mod deployment_manifest;
pub mod health;
pub mod resource;
pub mod template;

pub mod catalog;

pub mod estate;

pub mod resolve;

pub mod node;

pub mod effect;

pub mod observe;

pub mod plan;

pub mod report;

pub mod exit;
pub mod fault;
pub mod format;
pub mod wire;

mod spelling_suggestion;
mod text_diff;

pub use spelling_suggestion::suggest_spelling;
pub use text_diff::unified_diff;
