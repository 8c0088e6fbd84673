//! A channel: which packages it shows, in its current generation.

use std::{collections::BTreeMap, fs, io, sync::Arc};

use model::name::Name;
use serde::{Deserialize, Serialize};

use super::{
    Repository, RepositoryError, Result,
    durable_writes::{self, UnflushedWrites},
    metadata_batch::{ChannelPackageFileAndDigest, MetadataBatch},
};

/// One generation of a channel.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct ChannelGeneration {
    pub(super) name: Name,
    /// 0 for a channel that was never published to.
    pub(super) generation: u64,
    pub(super) batches: Vec<Arc<MetadataBatch>>,
    pub(super) next_batch: u64,
    /// The size of its files in `repodata`.
    pub(super) bytes: u64,
    /// The generations before it whose files stay, oldest first.
    pub(super) history: Vec<SupersededGeneration>,
    /// The packages that are no longer in it, but whose links stay.
    pub(super) gone: Vec<RemovedPackageWithKeptLink>,
}

/// A generation whose files are kept for readers that still hold its `repomd.xml`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct SupersededGeneration {
    pub(super) generation: u64,
    /// When the next one took its place, in seconds since 1970: since then it is no longer served as current.
    pub(super) replaced: u32,
    /// The size of its files in `repodata`.
    pub(super) bytes: u64,
}

/// A package whose link is kept for readers of metadata that still spoke of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct RemovedPackageWithKeptLink {
    pub(super) file: String,
    /// When it left the channel, in seconds since 1970.
    pub(super) since: u32,
}

/// [`ChannelGeneration`], as it is written down.
#[derive(Debug, Serialize, Deserialize)]
struct ChannelState {
    #[serde(rename = "members")]
    batches: Vec<u64>,
    #[serde(rename = "next_member")]
    next_batch: u64,
    bytes: u64,
    history: Vec<SupersededGeneration>,
    gone: Vec<RemovedPackageWithKeptLink>,
}

impl ChannelGeneration {
    /// All packages, in the order they were published.
    pub(super) fn iter_packages(&self) -> impl Iterator<Item = &ChannelPackageFileAndDigest> {
        self.batches.iter().flat_map(|batch| &batch.packages)
    }

    /// The digest of each package, by file name.
    pub(super) fn package_digests_by_file(&self) -> BTreeMap<&str, &str> {
        self.iter_packages().map(|listed| (listed.file.as_str(), listed.sha256.as_str())).collect()
    }
}

impl Repository {
    /// The current generation of `channel`; 0 where nothing was published yet.
    pub(super) fn read_current_generation_number(&self, channel: &Name) -> Result<u64> {
        let link = self.layout().channel_current_generation_link_path(channel);
        match fs::read_link(&link) {
            Ok(target) => target.file_name().and_then(|name| name.to_str()?.parse().ok()).ok_or_else(|| {
                RepositoryError::new_damaged_file_error(&link, "it does not point to a generation")
            }),
            Err(why) if why.kind() == io::ErrorKind::NotFound => Ok(0),
            Err(why) => Err(RepositoryError::from_io_error("read", &link, why)),
        }
    }

    /// The channel as it is now; an empty one where nothing was published yet.
    pub(super) fn load_current_or_empty_generation(&self, name: &Name) -> Result<Arc<ChannelGeneration>> {
        let mut generation = self.read_current_generation_number(name)?;
        loop {
            let known = self.known().channels.get(name).cloned();
            if let Some(channel) = &known
                && channel.generation == generation
            {
                return Ok(Arc::clone(channel));
            }
            match self.read_generation(name, generation, known.as_deref()) {
                Ok(channel) => {
                    let channel = Arc::new(channel);
                    self.known().channels.insert(name.clone(), Arc::clone(&channel));
                    return Ok(channel);
                }
                Err(error) => {
                    // A publication may have swept away what we were about to read.
                    let now = self.read_current_generation_number(name)?;
                    if now == generation {
                        return Err(error);
                    }
                    generation = now;
                }
            }
        }
    }

    /// Like [`Repository::load_current_or_empty_generation`], but one that was never published to is an error.
    pub(super) fn load_current_generation_of_published_channel(
        &self,
        name: &Name,
    ) -> Result<Arc<ChannelGeneration>> {
        let channel = self.load_current_or_empty_generation(name)?;
        if channel.generation > 0 {
            return Ok(channel);
        }
        Err(self.unknown_channel_error(name)?)
    }

    fn read_generation(
        &self,
        name: &Name,
        generation: u64,
        known: Option<&ChannelGeneration>,
    ) -> Result<ChannelGeneration> {
        if generation == 0 {
            return Ok(ChannelGeneration {
                name: name.clone(),
                generation,
                batches: Vec::new(),
                next_batch: 1,
                bytes: 0,
                history: Vec::new(),
                gone: Vec::new(),
            });
        }
        let state: ChannelState =
            durable_writes::read_json_file(&self.layout().channel_generation_state_path(name, generation))?;
        let known: BTreeMap<u64, &Arc<MetadataBatch>> =
            known.iter().flat_map(|channel| &channel.batches).map(|batch| (batch.id, batch)).collect();
        let batches = state.batches.iter().map(|id| match known.get(id) {
            Some(batch) => Ok(Arc::clone(batch)),
            None => self.read_metadata_batch_header(name, *id).map(Arc::new),
        });
        Ok(ChannelGeneration {
            name: name.clone(),
            generation,
            batches: batches.collect::<Result<_>>()?,
            next_batch: state.next_batch,
            bytes: state.bytes,
            history: state.history,
            gone: state.gone,
        })
    }

    pub(super) fn write_unflushed_generation_state(
        &self,
        channel: &ChannelGeneration,
        unflushed: &mut UnflushedWrites,
    ) -> Result<()> {
        let state = ChannelState {
            batches: channel.batches.iter().map(|batch| batch.id).collect(),
            next_batch: channel.next_batch,
            bytes: channel.bytes,
            history: channel.history.clone(),
            gone: channel.gone.clone(),
        };
        let path = self.layout().channel_generation_state_path(&channel.name, channel.generation);
        unflushed.write_unflushed_file(&path, &durable_writes::to_json_bytes(&path, &state)?)
    }
}
