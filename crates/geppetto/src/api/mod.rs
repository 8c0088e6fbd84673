//! The HTTP API: one file a resource; `router` lists all routes.

mod changes;
mod etag;
mod events;
mod extract;
mod health;
mod history;
mod jobs;
mod join;
mod keys;
mod nodes;
mod openapi_description;
mod packages;
mod places;
mod principal_slots;
mod problem;
mod reports;
mod repository_files;
mod router;
mod servers;
mod tokens;
mod upload;
mod users;

use std::sync::Arc;

pub(crate) use extract::UnixSocketPeer;
use model::wire;
use principal_slots::PrincipalSlots;
pub(crate) use router::{build_router, openapi_document};
use tokio::sync::{Semaphore, watch};

use crate::backoffice::BackOffice;

/// What handlers share.
#[derive(Debug, Clone)]
pub(crate) struct ApiState {
    /// The back-office.
    pub(crate) back_office: Arc<BackOffice>,
    /// The largest package accepted, in bytes.
    pub(crate) max_package_bytes: u64,
    /// The URL that clients reach this control plane by, where it is declared.
    pub(crate) advertised_url: Option<String>,
    /// How clients reach and recognise this control plane.
    pub(crate) address: wire::ControlPlaneAddress,
    /// Becomes true when the program is asked to end: streams end then.
    end: watch::Receiver<bool>,
    /// How many more large bodies may be held now.
    large_bodies: Arc<Semaphore>,
    /// How many large bodies each principal has sent.
    large_body_slots: Arc<PrincipalSlots>,
    /// Who uploads how much at once.
    upload_slots: Arc<PrincipalSlots>,
}

/// How many large bodies are held at once; half of them may be of one principal.
const LARGE_BODIES: usize = 4;

/// How many uploads of one principal are taken at once.
const UPLOADS_OF_PRINCIPAL: usize = 4;

/// How many requests of one principal wait for either.
const WAITING: usize = 16;

impl ApiState {
    /// What handlers share.
    pub(crate) fn new(
        back_office: Arc<BackOffice>,
        max_package_bytes: u64,
        advertised_url: Option<String>,
        address: wire::ControlPlaneAddress,
        end: watch::Receiver<bool>,
    ) -> Self {
        Self {
            back_office,
            max_package_bytes,
            advertised_url,
            address,
            end,
            large_bodies: Arc::new(Semaphore::new(LARGE_BODIES)),
            large_body_slots: Arc::new(PrincipalSlots::new("large requests", LARGE_BODIES / 2, WAITING)),
            upload_slots: Arc::new(PrincipalSlots::new("uploads", UPLOADS_OF_PRINCIPAL, WAITING)),
        }
    }

    /// How URLs of this control plane begin.
    fn url_scheme(&self) -> &'static str {
        if self.address.url.starts_with("https:") { "https" } else { "http" }
    }
}
