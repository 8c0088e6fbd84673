//! Who may do what: secrets that people and servers present, principals, and the grants these have.

mod access_level;
mod grant;
mod principal;
mod secret;

pub(crate) use access_level::AccessLevel;
pub(crate) use grant::{EffectScope, Grant, InvalidGrant};
pub(crate) use principal::{
    AccessDenied, Admin, Developer, Operator, Permit, Principal, RequiredLevel, Viewer,
};
pub(crate) use secret::{PresentedSecret, SecretKind, generate_secret};
