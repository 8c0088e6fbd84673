//! The back-office: what the API and the commands ask for, done once, in one place.

mod error;
pub mod folder;
mod join;
pub mod keys;
pub mod mask;
mod state;
mod tokens;

use std::sync::{Arc, Mutex};

use ed25519_dalek::SigningKey;
use rand::rngs::OsRng;

pub use error::OfficeError;
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
    node_key: SigningKey,
    /// The newest revision, read once.
    state: Mutex<Option<Arc<State>>>,
}

impl Office {
    /// Opens what lies in the data folder; keys that are missing are made.
    pub async fn open(data: DataFolder, clock: Clock) -> Result<Self, Failure> {
        let node_key = keys::node_key(&data.node_key(), &mut OsRng)?;
        let store = Store::open(&data.database()).await?;
        Ok(Self { data, store, clock, node_key, state: Mutex::default() })
    }
}
