//! File formats, one module each: text in, domain types out, and back.

pub mod component;
pub mod yaml;

pub mod estate;

pub mod environment;
pub mod group;
pub mod role;
pub mod server;

pub mod node;

pub(crate) mod dotted_path;
mod place_settings;
mod schema;
mod signature;
pub(crate) mod yaml_flow_style;

pub use schema::file_format_json_schemas;
pub use yaml::FormatError;
