//! Publishing: received packages become visible in a channel, all of them or none.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use model::{name::Name, wire::FilesAddedToChannel};

use super::{
    Repository, RepositoryError, Result,
    channel_generation::ChannelGeneration,
    commit_generation::NextGenerationBatch,
    durable_writes::{self, UnflushedWrites},
    metadata_batch::ChannelPackageFileAndDigest,
    package_record::PackageRecord,
};

/// What a publication will do, checked and not yet done.
pub(super) struct PlannedPublication {
    /// By file: the packages that become visible.
    pub(super) added: BTreeMap<String, Arc<PackageRecord>>,
    /// The files that are visible already.
    present: BTreeSet<String>,
}

impl Repository {
    /// Makes received packages visible in the channel `channel`, all or none. `now` is in seconds since
    /// 1970. Packages that are visible already are no error.
    pub fn publish_received_packages_in_channel(
        &self,
        channel: &Name,
        files: &[String],
        now: u32,
    ) -> Result<FilesAddedToChannel> {
        let _lock = self.lock()?;
        self.publish_received_packages_with_lock_held(channel, files, now)
    }

    /// Writes all metadata of `channel` anew, and links its packages again, from what is in the pool: the
    /// cure for most of what [`Repository::check_repository`] finds.
    pub fn rewrite_channel_metadata_and_links(&self, channel: &Name, now: u32) -> Result<()> {
        // Packages are immutable, so they are read without the lock.
        for listed in self.load_current_generation_of_published_channel(channel)?.iter_packages() {
            self.repair_index_entry(listed)?;
        }
        let _lock = self.lock()?;
        let channel = self.load_current_generation_of_published_channel(channel)?;
        let packages: Vec<ChannelPackageFileAndDigest> = channel.iter_packages().cloned().collect();
        let mut unflushed = UnflushedWrites::default();
        for listed in &packages {
            let record = self.read_package_record(&listed.file)?;
            self.link_package(&channel.name, &record, &mut unflushed)?;
        }
        self.commit_next_generation(&channel, vec![NextGenerationBatch::New(packages)], unflushed, now)?;
        Ok(())
    }

    pub(super) fn publish_received_packages_with_lock_held(
        &self,
        name: &Name,
        files: &[String],
        now: u32,
    ) -> Result<FilesAddedToChannel> {
        let channel = self.load_current_generation_of_published_channel(name)?;
        let PlannedPublication { added, present } = self.plan_publication(&channel, files)?;
        if !added.is_empty() {
            let mut unflushed = UnflushedWrites::default();
            let shown = added
                .values()
                .try_for_each(|record| self.link_package(name, record, &mut unflushed))
                .and_then(|()| {
                    let new = added.values().map(|record| ChannelPackageFileAndDigest {
                        file: record.file.clone(),
                        sha256: record.sha256.clone(),
                    });
                    self.commit_next_generation(&channel, appended(&channel, new.collect()), unflushed, now)
                });
            if shown.is_err() && self.read_current_generation_number(name)? == channel.generation {
                // The first error is returned; no metadata names these links.
                let folder = self.layout().channel_packages_folder_path(name);
                let _ = added
                    .keys()
                    .try_for_each(|file| durable_writes::remove_file_if_present(&folder.join(file)));
            }
            shown?;
        }
        Ok(FilesAddedToChannel {
            channel: name.to_string(),
            added: added.into_keys().collect(),
            present: present.into_iter().collect(),
        })
    }

    /// What publishing `files` in `channel` means. Changes nothing, and refuses what cannot be published.
    pub(super) fn plan_publication(
        &self,
        channel: &ChannelGeneration,
        files: &[String],
    ) -> Result<PlannedPublication> {
        let digests = channel.package_digests_by_file();
        let (mut added, mut present) = (BTreeMap::new(), BTreeSet::new());
        for file in files {
            let record = self.read_package_record(file)?;
            match digests.get(file.as_str()) {
                None => {
                    added.insert(file.clone(), record);
                }
                Some(sha256) if *sha256 == record.sha256 => {
                    present.insert(file.clone());
                }
                Some(sha256) => {
                    return Err(RepositoryError::OtherBytes {
                        file: file.clone(),
                        there: (*sha256).to_owned(),
                        yours: record.sha256.clone(),
                    });
                }
            }
        }
        let becoming: BTreeSet<&str> =
            digests.keys().copied().chain(added.keys().map(String::as_str)).collect();
        for record in added.values() {
            both_halves(&channel.name, record, &becoming)?;
        }
        Ok(PlannedPublication { added, present })
    }

    fn link_package(
        &self,
        channel: &Name,
        record: &PackageRecord,
        unflushed: &mut UnflushedWrites,
    ) -> Result<()> {
        let layout = self.layout();
        unflushed.create_folder_tree(&layout.channel_packages_folder_path(channel))?;
        let pooled = layout.pool_package_path(&record.name, &record.file);
        unflushed.replace_with_hard_link_unflushed(
            &layout.incoming_folder_path(),
            &pooled,
            &layout.channel_packages_folder_path(channel).join(&record.file),
        )
    }
}

/// Refuses a component's package whose other half is not in the channel.
fn both_halves(channel: &Name, record: &PackageRecord, becoming: &BTreeSet<&str>) -> Result<()> {
    let Some(other) = record.counterpart_package_name() else { return Ok(()) };
    // The other half may have another architecture.
    let start = format!("{other}-{}.", record.version_and_release_text());
    let mut near = becoming.range(start.as_str()..).map_while(|file| file.strip_prefix(&start));
    if near.any(|rest| rest.split('.').count() == 2) {
        return Ok(());
    }
    Err(RepositoryError::Alone {
        channel: channel.clone(),
        present: record.file.clone(),
        missing: format!("{other}-{}", record.version_and_release_text()),
    })
}

/// The channel's batches with `new` packages after them, in the last one while it is not full.
fn appended(channel: &ChannelGeneration, new: Vec<ChannelPackageFileAndDigest>) -> Vec<NextGenerationBatch> {
    let mut parts: Vec<NextGenerationBatch> =
        channel.batches.iter().cloned().map(NextGenerationBatch::Kept).collect();
    match channel.batches.last() {
        Some(last) if !last.is_full() => {
            parts.pop();
            parts.push(NextGenerationBatch::Grown(Arc::clone(last), new));
        }
        _ => parts.push(NextGenerationBatch::New(new)),
    }
    parts
}
