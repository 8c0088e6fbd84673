//! Geppetto's nouns and rules, in the order of a component's life.
//!
//! Nothing here reads a file, opens a socket, asks the time or draws a random number: text and values
//! come in, text and values go out. Both programs therefore reach the same answer from the same input.

pub mod catalog;
pub mod component;
mod diff;
pub mod estate;
pub mod exit;
pub mod fault;
pub mod format;
pub mod manifest;
pub mod name;
mod nearest;
pub mod node;
pub mod observe;
pub mod parameter;
pub mod plan;
pub mod report;
pub mod resolve;
pub mod resource;
pub mod template;
pub mod value;
pub mod version;
pub mod wire;

pub use diff::diff;
pub use nearest::nearest;
