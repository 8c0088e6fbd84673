//! The back-office: what the API asks for on a principal's behalf, done once, in one place.
//!
//! Every function that reads or writes for somebody takes a [`UnscopedPermit`](crate::auth::UnscopedPermit) of the access level it
//! needs, or the [`Principal`](crate::auth::Principal) where a server may do it for itself.

mod access;
mod cancel_when_dropped;
mod change;
mod change_summaries;
mod channel_changes;
mod edited_document;
mod effects;
mod error;
mod estate_snapshot;
mod export;
mod history;
mod jobs;
mod join;
mod keys;
mod log_in_delays;
mod mask;
mod node;
mod packages;
mod page;
mod password_work;
mod places;
mod refused_uploads;
mod reports;
mod repository_upkeep;
mod resolution_cache;
mod resolution_rows;
mod revision_comparison;
mod role_view;
mod server_estate;
mod server_search;
mod server_state;
mod sessions;
#[cfg(test)]
mod story;
mod submitted_texts;
mod tokens;
mod users;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, atomic::AtomicU64};

use ed25519_dalek::SigningKey;
use model::wire::ControlPlaneEvent;
use packaging::repository::Repository;
use rand::rngs::OsRng;
use tokio::sync::broadcast;

pub(crate) use change::{EstateChangeSubmission, SubmittedEstate};
pub(crate) use edited_document::{DocumentToEdit, EditedDocument, with_required_component};
pub(crate) use error::BackOfficeError;
use estate_snapshot::EstateSnapshot;
pub(crate) use node::{NodeGenerationAndDigest, SignedOrMaskedNode};
pub(crate) use page::PageRequest;
pub(crate) use places::PlaceKind;
pub(crate) use role_view::RoleUse;
pub(crate) use server_search::{FoundServer, ServerFilter};
pub(crate) use server_state::ServerState;
pub(crate) use sessions::{LogInOutcome, LoggedInUser};

use crate::{
    clock::Clock,
    command_error::{GeppettoCommandError, join_error_and_sources},
    data_folder::DataFolder,
    store::{SealingKey, Store, StoreWithUncheckedKeys, TimeAndActor},
};

/// A control plane's data, opened.
#[derive(Debug)]
pub(crate) struct BackOffice {
    pub(crate) store: Store,
    pub(crate) clock: Clock,
    repository: Arc<Repository>,
    node_key: SigningKey,
    /// What was resolved, for as long as it holds.
    cache: Mutex<resolution_cache::ResolutionCache>,
    /// Which parameters are secret: once declared so, for ever.
    secrets: Mutex<mask::CachedSecretParameters>,
    /// Held by the one change that this control plane commits: two of them would only overtake each other.
    changing: tokio::sync::Mutex<()>,
    /// What people wrote that means what is stored.
    submitted_texts: Arc<submitted_texts::SubmittedTextDigests>,
    /// Refused uploads that are not in the audit log yet.
    refused_uploads: Arc<refused_uploads::RefusedUploadCounts>,
    resolutions: AtomicU64,
    log_in_delays: log_in_delays::LogInDelays,
    password_work: password_work::PasswordWork,
    /// When the health check wrote to the database last, in microseconds since 1970-01-01 UTC.
    health_written_us: tokio::sync::Mutex<i64>,
}

/// Opens the database with the keys of the data folder; keys that are missing are made, unless the database was used with
/// others before.
pub(crate) async fn open_or_create_store_and_keys(
    data: &DataFolder,
) -> Result<(Store, SigningKey), GeppettoCommandError> {
    check_keys(StoreWithUncheckedKeys::open_and_migrate(&data.database_location()).await?, data).await
}

/// Opens a database that a control plane has used, with its keys; its tables stay as they are.
pub(crate) async fn open_used_store_without_migrating(
    data: &DataFolder,
) -> Result<Store, GeppettoCommandError> {
    let opened = StoreWithUncheckedKeys::open_used_without_migrating(&data.database_location()).await?;
    Ok(check_keys(opened, data).await?.0)
}

async fn check_keys(
    opened: StoreWithUncheckedKeys,
    data: &DataFolder,
) -> Result<(Store, SigningKey), GeppettoCommandError> {
    let seal = SealingKey::new(&keys::load_or_create_database_key(
        &data.database_key_path(),
        opened.was_used_before(),
        &mut OsRng,
    )?);
    let node_key =
        keys::load_or_create_node_key(&data.node_key_path(), opened.was_used_before(), &mut OsRng)?;
    let store = opened.check_or_set_both_keys(seal, &keys::public_key_base64(&node_key)).await?;
    Ok((store, node_key))
}

/// How long the answer of a health check holds, in microseconds.
const HEALTH_HOLDS_US: i64 = 5_000_000;

impl BackOffice {
    /// Opens the database and the repository; keys that are missing are made, unless the database was used with
    /// others before.
    pub(crate) async fn open_or_create(
        data: &DataFolder,
        clock: Clock,
    ) -> Result<Self, GeppettoCommandError> {
        let (store, node_key) = open_or_create_store_and_keys(data).await?;
        let repository = Arc::new(keys::open_or_create_repository(&data.repository_path(), clock.now_us())?);
        let (cache, secrets, changing, submitted_texts, refused_uploads, resolutions, health_written_us) =
            Default::default();
        let (log_in_delays, password_work) = Default::default();
        Ok(Self {
            store,
            clock,
            repository,
            node_key,
            cache,
            secrets,
            changing,
            submitted_texts,
            refused_uploads,
            resolutions,
            log_in_delays,
            password_work,
            health_written_us,
        })
    }

    /// Waits for what is being written and closes the database.
    pub(crate) async fn close_database(&self) {
        for (actor, count) in self.refused_uploads.take_all_counts() {
            let (context, detail) = (self.audit_context(&actor), format!("refused: {count} more uploads"));
            if let Err(error) =
                self.store.insert_repository_audit_entry(&context, "receive", "packages", &detail, None).await
            {
                tracing::error!(error = %join_error_and_sources(&error), "{count} refused uploads of {actor} are not recorded");
            }
        }
        self.store.close().await;
    }

    /// Whether the database can be written to. Anybody may ask: it is tried at most once in [`HEALTH_HOLDS_US`].
    pub(crate) async fn check_database_is_writable(&self) -> Result<(), BackOfficeError> {
        let mut written_us = self.health_written_us.lock().await;
        let now_us = self.clock.now_us();
        if !(0..HEALTH_HOLDS_US).contains(&now_us.saturating_sub(*written_us)) {
            self.store.write_health_row(now_us).await?;
            *written_us = now_us;
        }
        Ok(())
    }

    /// What changes from now on, on every control plane of this database.
    pub(crate) fn subscribe_to_events(&self) -> broadcast::Receiver<ControlPlaneEvent> {
        self.store.subscribe_to_events()
    }

    fn cache(&self) -> MutexGuard<'_, resolution_cache::ResolutionCache> {
        // What is in there is whole at every moment, also when its last user panicked.
        self.cache.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn audit_context<'a>(&self, actor: &'a str) -> TimeAndActor<'a> {
        TimeAndActor { at_us: self.clock.now_us(), actor }
    }
}
