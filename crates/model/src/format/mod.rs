//! File formats, one module each: text in, domain types out, and back.

pub mod yaml;

pub use yaml::FormatError;
