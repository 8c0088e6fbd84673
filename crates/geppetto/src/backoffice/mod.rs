//! The back-office: what the API and the commands ask for, done once, in one place.

mod change;
mod error;
pub mod folder;
mod join;
pub mod keys;
pub mod mask;
pub mod node;
mod objects;
mod packages;
mod reports;
mod retention;
mod state;
mod tokens;

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use ed25519_dalek::SigningKey;
use model::name::ServerName;
use packaging::repository::Repository;
use rand::rngs::OsRng;

pub use change::Proposal;
pub use error::OfficeError;
pub use node::NodeVersion;
pub use state::State;
pub use tokens::Issued;

use crate::{clock::Clock, data::DataFolder, failure::Failure, store::Store};

/// A control plane's data, opened.
#[derive(Debug)]
pub struct Office {
    /// Where it lies.
    pub data: DataFolder,
    /// What it remembers.
    pub store: Store,
    /// Tells the time.
    pub clock: Clock,
    repository: Arc<Repository>,
    node_key: SigningKey,
    /// What each server's node was when it was last asked for.
    nodes: Mutex<BTreeMap<ServerName, node::Known>>,
    /// The newest revision, read once.
    state: Mutex<Option<Arc<State>>>,
}

impl Office {
    /// Opens what lies in the data folder; keys that are missing are made.
    pub async fn open(data: DataFolder, clock: Clock) -> Result<Self, Failure> {
        let node_key = keys::node_key(&data.node_key(), &mut OsRng)?;
        let store = Store::open(&data.database()).await?;
        let repository = Arc::new(keys::repository(&data.repository(), clock.now_us())?);
        let (nodes, state) = Default::default();
        Ok(Self { data, store, clock, repository, node_key, nodes, state })
    }
}
