//! The back-office: what the API and the commands ask for, done once, in one place.

mod change;
mod error;
mod estate_snapshot;
pub mod folder;
mod join;
pub mod keys;
pub mod mask;
pub mod node;
mod packages;
mod places;
mod reports;
mod resolution_cache;
mod retention;
#[cfg(test)]
mod story;
mod tokens;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, atomic::AtomicU64};

use ed25519_dalek::SigningKey;
use packaging::repository::Repository;
use rand::rngs::OsRng;

pub use change::{ChangeProposal, ProposedEstate};
pub use error::BackOfficeError;
pub use estate_snapshot::EstateSnapshot;
pub use node::NodeVersion;
pub use tokens::IssuedToken;

use crate::{
    clock::Clock,
    daemon_error::DaemonError,
    data_folder::DataFolder,
    store::{Seal, Store},
};

/// A control plane's data, opened.
#[derive(Debug)]
pub struct BackOffice {
    /// Where it lies.
    pub data: DataFolder,
    /// What it remembers.
    pub store: Store,
    /// Tells the time.
    pub clock: Clock,
    repository: Arc<Repository>,
    node_key: SigningKey,
    /// What was found out once.
    known: Mutex<resolution_cache::ResolutionCache>,
    /// What is secret for ever.
    remembered: Mutex<mask::Remembered>,
    /// Held by the one change that is being made.
    changing: tokio::sync::Mutex<()>,
    resolutions: AtomicU64,
}

impl BackOffice {
    /// Opens what lies in the data folder; keys that are missing are made.
    pub async fn open(data: DataFolder, clock: Clock) -> Result<Self, DaemonError> {
        let node_key = keys::node_key(&data.node_key(), &mut OsRng)?;
        let database = data.database();
        let seal = Seal::new(&keys::store_key(&data.store_key(), &database, &mut OsRng)?);
        let store = Store::open(&database, seal).await?;
        let repository = Arc::new(keys::repository(&data.repository(), clock.now_us())?);
        let (known, remembered, changing, resolutions) = Default::default();
        Ok(Self { data, store, clock, repository, node_key, known, remembered, changing, resolutions })
    }

    fn known(&self) -> MutexGuard<'_, resolution_cache::ResolutionCache> {
        // What is in there is whole at every moment, also when its last user panicked.
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
