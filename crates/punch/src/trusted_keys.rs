//! The keys a host trusts: one for node files, several for packages.

use base64::Engine;
use ed25519_dalek::VerifyingKey;
use model::name::ServerName;
use packaging::openpgp::TrustedPublicKeys;

use crate::{
    command_error::CommandError,
    host_files::{HostFileAccess, NODE_KEY_PATH, PACKAGE_KEYS_PATH},
    membership::BackOfficeMembership,
};

/// The keys a host trusts. A root that joined no back-office and has no keys is a developer's folder:
/// unsigned node files and packages are accepted, with a note.
#[derive(Default)]
pub(crate) struct TrustSettingsOfHost {
    /// Node files must be signed with this.
    pub(crate) node: Option<VerifyingKey>,
    /// Packages and repositories must be signed with one of these.
    pub(crate) packages: Option<TrustedPublicKeys>,
    /// Node files must be for this server: the one the host joined as.
    pub(crate) server: Option<ServerName>,
    /// Whether the user turned signature checks off (`--allow-unsigned`).
    pub(crate) signatures_skipped: bool,
}

impl TrustSettingsOfHost {
    /// Accepts everything without a signature check (`--allow-unsigned`).
    pub(crate) fn new_accepting_unsigned() -> Self {
        Self { signatures_skipped: true, ..Self::default() }
    }

    /// Reads the keys of a root. On a joined host a missing key is an error: a lost key must never turn
    /// signature checks off.
    pub(crate) fn load_trusted_keys(root: &HostFileAccess) -> Result<Self, CommandError> {
        let broken = |file: &str, why: String| {
            CommandError::blocked_error(format!("{} cannot be used: {why}", root.display_path(file).display())).with_hint(
                "no node file or package is accepted until this is repaired: restore the file, or join again with a new token",
            )
        };
        let server =
            BackOfficeMembership::load_membership_if_joined(root)?.map(|membership| membership.server);
        let read = |file: &str| match root.read_text_file_if_exists(file)? {
            None if server.is_some() => {
                Err(broken(file, "it is missing, and this host has joined a back-office".to_owned()))
            }
            text => Ok(text),
        };
        let node = match read(NODE_KEY_PATH)? {
            Some(text) => Some(parse_node_key(&text).map_err(|why| broken(NODE_KEY_PATH, why))?),
            None => None,
        };
        let packages = match read(PACKAGE_KEYS_PATH)? {
            Some(text) => Some(parse_package_keys(&text).map_err(|why| broken(PACKAGE_KEYS_PATH, why))?),
            None => None,
        };
        Ok(Self { node, packages, server, signatures_skipped: false })
    }
}

/// Reads a node key: 32 bytes in base64 that are a point of the curve.
pub(crate) fn parse_node_key(text: &str) -> Result<VerifyingKey, String> {
    let bytes = base64::engine::general_purpose::STANDARD
        .decode(text.trim())
        .map_err(|error| format!("the node key is not base64: {error}"))?;
    let bytes: [u8; 32] = bytes
        .try_into()
        .map_err(|bytes: Vec<u8>| format!("the node key has {} bytes instead of 32", bytes.len()))?;
    VerifyingKey::from_bytes(&bytes).map_err(|_| "the node key is not an Ed25519 key".to_owned())
}

/// Reads package keys: at least one armored OpenPGP certificate.
pub(crate) fn parse_package_keys(text: &str) -> Result<TrustedPublicKeys, String> {
    TrustedPublicKeys::from_armored_certificates(text)
        .map_err(|error| format!("the package keys are not OpenPGP keys: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn malformed_node_key_is_an_error_describing_the_content() {
        assert!(parse_node_key("?").unwrap_err().contains("not base64"));
        assert!(parse_node_key("AAAA").unwrap_err().contains("3 bytes instead of 32"));
    }
}
