//! The HTTP API: one file a resource; `router` lists all routes.

mod changes;
mod etag;
mod extract;
mod files;
mod health;
mod history;
mod join;
mod nodes;
mod packages;
mod places;
mod problem;
mod reports;
mod router;
mod servers;
mod upload;

use std::sync::Arc;

pub use router::{document, router};
use tokio::sync::Semaphore;

use crate::backoffice::BackOffice;

/// What handlers share.
#[derive(Debug, Clone)]
pub struct ApiState {
    /// The back-office.
    pub back_office: Arc<BackOffice>,
    /// The largest package accepted, in bytes.
    pub max_package_bytes: u64,
    /// The URL that clients reach this control plane by, where it is declared.
    pub advertised_url: Option<String>,
    /// How many more large bodies may be held now.
    large_bodies: Arc<Semaphore>,
}

/// How many large bodies are held at once.
const LARGE_BODIES: usize = 4;

impl ApiState {
    /// What handlers share.
    pub fn new(back_office: Arc<BackOffice>, max_package_bytes: u64) -> Self {
        let advertised_url = None;
        Self {
            back_office,
            max_package_bytes,
            advertised_url,
            large_bodies: Arc::new(Semaphore::new(LARGE_BODIES)),
        }
    }
}
