//! How people are told where a control plane is and how to recognise it.

use model::wire::ControlPlaneAddress;

/// The arguments of `punch login` and `punch join` for it: its URL, and the fingerprint of its own authority if it has one.
pub(crate) fn format_login_arguments(control_plane: &ControlPlaneAddress) -> String {
    let ControlPlaneAddress { url, ca_fingerprint } = control_plane;
    match ca_fingerprint {
        Some(fingerprint) => format!("{url} --ca-fingerprint {fingerprint}"),
        None => url.clone(),
    }
}
