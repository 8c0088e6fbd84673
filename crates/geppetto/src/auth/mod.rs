//! Who may do what: secrets that people and servers present, principals, and the grants these have.

mod access_level;
mod grant;
mod permit;
mod principal;
mod secret;

pub(crate) use access_level::AccessLevel;
pub(crate) use grant::{EffectScope, Grant, InvalidGrantText};
pub(crate) use permit::{Admin, Developer, Operator, Permit, RequiredAccessLevel, Viewer};
pub(crate) use principal::{AccessDenied, Principal};
pub(crate) use secret::{BearerSecretKind, PresentedBearerSecret, generate_bearer_secret};
