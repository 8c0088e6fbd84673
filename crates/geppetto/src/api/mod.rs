//! The HTTP API: one file a resource; `router` lists all routes.

mod changes;
mod extract;
mod files;
mod health;
mod history;
mod join;
mod nodes;
mod objects;
mod packages;
mod problem;
mod reports;
mod router;
mod upload;

use std::sync::Arc;

pub use router::{document, router};

use crate::backoffice::Office;

/// What handlers share.
#[derive(Debug, Clone)]
pub struct App {
    /// The back-office.
    pub office: Arc<Office>,
    /// The largest package accepted, in bytes.
    pub max_package_bytes: u64,
}

impl App {
    /// What handlers share.
    pub fn new(office: Arc<Office>, max_package_bytes: u64) -> Self {
        Self { office, max_package_bytes }
    }
}
