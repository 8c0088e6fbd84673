//! From an archetype to a signed YUM repository: components generated, checked, packaged, published, promoted.

mod envelope;
pub mod openpgp;

pub use envelope::PackageError;
