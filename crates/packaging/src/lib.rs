//! From an archetype to a signed YUM repository: components generated, checked, packaged, published, promoted.

pub mod archetype;
mod envelope;
pub mod inspect;
pub mod lint;
pub mod openpgp;
pub mod package;
pub mod repository;
pub mod source;

pub use envelope::PackageError;
