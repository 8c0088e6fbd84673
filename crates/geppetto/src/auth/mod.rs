//! Who may do what: secrets that people and servers present, principals, and the grants these have.

mod access_level;
mod bearer_secret;
mod grant;
mod password;
mod permit;
mod principal;

pub(crate) use access_level::AccessLevel;
pub(crate) use bearer_secret::{BearerSecretKind, PresentedBearerSecret, generate_bearer_secret};
pub(crate) use grant::{EnvironmentAndComponentScope, Grant, InvalidGrantText};
pub(crate) use password::{hash_password, verify_password, weak_password_reason};
pub(crate) use permit::{Admin, Developer, Operator, RequiredAccessLevel, UnscopedPermit, Viewer};
pub(crate) use principal::{AccessDenied, Principal};
