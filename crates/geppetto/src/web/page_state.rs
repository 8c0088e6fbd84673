//! What pages share.

use std::sync::Arc;

use tokio::sync::watch;

use crate::backoffice::BackOffice;

/// What pages share.
#[derive(Debug, Clone)]
pub(crate) struct PageState {
    /// The back-office.
    pub(crate) back_office: Arc<BackOffice>,
    /// How browsers reach this control plane.
    pub(crate) control_plane_url: String,
    /// Becomes true when the program is asked to end.
    pub(crate) end: watch::Receiver<bool>,
}

impl PageState {
    /// Whether browsers speak TLS with it, so that cookies can be kept from plain connections.
    pub(super) fn is_reached_by_tls(&self) -> bool {
        self.control_plane_url.starts_with("https:")
    }
}
