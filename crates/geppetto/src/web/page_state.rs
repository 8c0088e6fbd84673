//! What pages share.

use std::sync::Arc;

use crate::backoffice::BackOffice;

/// What pages share.
#[derive(Debug, Clone)]
pub(crate) struct PageState {
    /// The back-office.
    pub(crate) back_office: Arc<BackOffice>,
    /// How browsers reach this control plane.
    pub(crate) control_plane_url: String,
}

impl PageState {
    /// Whether browsers speak TLS with it, so that cookies can be kept from plain connections.
    pub(super) fn is_reached_by_tls(&self) -> bool {
        self.control_plane_url.starts_with("https:")
    }
}
