//! From an archetype to a signed YUM repository: components generated, checked, packaged, published, promoted.

pub mod archetype;
pub mod inspect;
pub mod lint;
pub mod openpgp;
pub mod package;
pub mod repository;
pub mod repository_metadata;
mod rpm_file;
pub mod source;

pub use rpm_file::RpmReadOrVerifyError;
