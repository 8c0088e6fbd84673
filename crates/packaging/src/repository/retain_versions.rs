//! Retention: removes old versions that no node file needs, from the channels first, then from the pool.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs, io,
    os::unix::fs::MetadataExt,
    path::PathBuf,
    sync::Arc,
};

use model::{catalog::ComponentCatalog, name::Name, version::Version};

use super::{
    Repository, RepositoryError, Result,
    channel_generation::ChannelGeneration,
    commit_generation::NextGenerationBatch,
    durable_writes::{self, UnflushedWrites},
    metadata_batch::ChannelPackageFileAndDigest,
    package_record::PackageRecord,
};

/// A package that was received but not published is left alone for this long.
const GRACE_SECONDS: u64 = 24 * 3600;

/// What a retention removes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RetentionResult {
    /// By channel: the files that are no longer visible there.
    pub channels: BTreeMap<Name, Vec<String>>,
    /// By channel: the component versions of these files.
    pub versions: BTreeMap<Name, BTreeSet<(Name, Version)>>,
    /// The files that no channel shows any more.
    pub files: Vec<String>,
    /// The bytes of these files, which are free when the last reader's hour is over.
    pub bytes: u64,
}

/// What a retention will do, and has not done yet.
#[derive(Default)]
struct PlannedRetention {
    /// All channels, each with the files that it will not show any more.
    channels: Vec<(Arc<ChannelGeneration>, BTreeSet<String>)>,
    /// The files that no channel will show any more.
    pool: Vec<UnneededPoolFile>,
    /// What is removed, when it is done.
    result: RetentionResult,
}

/// A file that no channel shows.
struct UnneededPoolFile {
    package: PathBuf,
    index_entry: PathBuf,
    file: String,
}

impl Repository {
    /// Keeps, in every channel, the `newest` versions of each package, the component versions in `keep`
    /// (those that node files name), and what all of these require; removes the rest. `now` is in seconds
    /// since 1970. Readers of the metadata before find the packages for another hour: it is the next
    /// publication or retention after that which takes their links away and so frees their bytes.
    pub fn remove_unneeded_versions_from_every_channel(
        &self,
        keep: &BTreeSet<(Name, Version)>,
        newest: usize,
        now: u32,
    ) -> Result<RetentionResult> {
        self.remove_unneeded_versions_queried_under_lock(
            |_| Ok::<_, RepositoryError>(keep.clone()),
            newest,
            now,
        )
    }

    /// The same, with the needed versions queried under the repository lock.
    pub fn remove_unneeded_versions_queried_under_lock<E: From<RepositoryError>>(
        &self,
        needed: impl FnOnce(&ComponentCatalog) -> std::result::Result<BTreeSet<(Name, Version)>, E>,
        newest: usize,
        now: u32,
    ) -> std::result::Result<RetentionResult, E> {
        // What is read now need not be read while others wait: under the lock only what is newer is.
        self.read_catalog()?;
        let _lock = self.lock()?;
        let catalog = self.read_catalog()?;
        let keep = needed(&catalog)?;
        let plan = self.plan_retention(&catalog, &keep, newest, now)?;
        Ok(self.remove_planned_versions(plan, now)?)
    }

    /// What [`Repository::remove_unneeded_versions_queried_under_lock`] would remove now. Changes nothing, and takes no lock: a
    /// publication at the same moment may be missing in it.
    pub fn preview_removal_of_unneeded_versions<E: From<RepositoryError>>(
        &self,
        needed: impl FnOnce(&ComponentCatalog) -> std::result::Result<BTreeSet<(Name, Version)>, E>,
        newest: usize,
        now: u32,
    ) -> std::result::Result<RetentionResult, E> {
        let catalog = self.read_catalog()?;
        let keep = needed(&catalog)?;
        Ok(self.plan_retention(&catalog, &keep, newest, now)?.result)
    }

    fn plan_retention(
        &self,
        catalog: &ComponentCatalog,
        keep: &BTreeSet<(Name, Version)>,
        newest: usize,
        now: u32,
    ) -> Result<PlannedRetention> {
        let mut plan = PlannedRetention::default();
        let mut needed = BTreeSet::new();
        for name in self.list_channels()? {
            let channel = self.load_current_or_empty_generation(&name)?;
            let components = kept_components(catalog, &name, keep, newest);
            let plain = self.kept_plain(&channel, newest)?;
            let (mut gone, mut versions) = (BTreeSet::new(), BTreeSet::new());
            for listed in channel.iter_packages() {
                let record = self.cached_or_read_package_record(listed)?;
                let component = record.component_and_version().map(|(name, version)| (name.clone(), version));
                let stays = match &component {
                    Some(component) => components.contains(component),
                    None => plain.contains(&record.file),
                };
                if stays {
                    needed.insert(record.file.clone());
                } else {
                    gone.insert(record.file.clone());
                    versions.extend(component);
                }
            }
            if !gone.is_empty() {
                plan.result.channels.insert(name.clone(), gone.iter().cloned().collect());
                plan.result.versions.insert(name, versions);
            }
            plan.channels.push((channel, gone));
        }
        self.plan_removal_from_pool(&needed, now, &mut plan)?;
        Ok(plan)
    }

    fn remove_planned_versions(&self, plan: PlannedRetention, now: u32) -> Result<RetentionResult> {
        for (channel, gone) in &plan.channels {
            // A link must not outlast its package.
            self.remove_package_links_of_killed_publications(channel, None)?;
            if gone.is_empty() {
                self.remove_channel_files_no_reader_needs(channel, now)?;
                continue;
            }
            self.commit_next_generation(
                channel,
                batches_after_removing_packages(channel, gone),
                UnflushedWrites::default(),
                now,
            )?;
        }
        for unneeded in &plan.pool {
            // The package goes first: its entry in the index alone means nothing.
            durable_writes::remove_file_if_present(&unneeded.package)?;
            durable_writes::remove_file_if_present(&unneeded.index_entry)?;
            self.known().records.remove(&unneeded.file);
        }
        Ok(plan.result)
    }

    /// The newest packages that belong to no component.
    fn kept_plain(&self, channel: &ChannelGeneration, newest: usize) -> Result<BTreeSet<String>> {
        let mut by_name: BTreeMap<(String, String), Vec<Arc<PackageRecord>>> = BTreeMap::new();
        for listed in channel.iter_packages() {
            let record = self.cached_or_read_package_record(listed)?;
            if record.component_and_version().is_none() {
                by_name.entry((record.name.clone(), record.arch.clone())).or_default().push(record);
            }
        }
        let mut kept = BTreeSet::new();
        for mut records in by_name.into_values() {
            records.sort_by(|a, b| older_first(b, a));
            kept.extend(records.iter().take(newest).map(|record| record.file.clone()));
        }
        Ok(kept)
    }

    /// Finds what is in no channel any more.
    fn plan_removal_from_pool(
        &self,
        needed: &BTreeSet<String>,
        now: u32,
        plan: &mut PlannedRetention,
    ) -> Result<()> {
        let layout = self.layout();
        let just_gone: BTreeSet<&String> = plan.channels.iter().flat_map(|(_, gone)| gone).collect();
        for name in durable_writes::list_folder_or_empty(&layout.pool_folder_path())? {
            for file in durable_writes::list_folder_or_empty(&layout.pool_folder_path().join(&name))? {
                if needed.contains(&file) {
                    continue;
                }
                let (package, index_entry) =
                    (layout.pool_package_path(&name, &file), layout.index_entry_path(&name, &file));
                let metadata = match fs::metadata(&package) {
                    // A preview holds no lock: another retention may have removed it.
                    Err(why) if why.kind() == io::ErrorKind::NotFound => continue,
                    read => read.map_err(|why| RepositoryError::from_io_error("read", &package, why))?,
                };
                // The package came in first when it was written, and last when its entry was touched.
                let touched = fs::metadata(&index_entry).map_or(0, |entry| entry.mtime());
                let age = u64::from(now).saturating_sub(metadata.mtime().max(touched).max(0) as u64);
                if !just_gone.contains(&file) && age < GRACE_SECONDS {
                    continue;
                }
                plan.result.bytes += metadata.len();
                plan.result.files.push(file.clone());
                plan.pool.push(UnneededPoolFile { package, index_entry, file });
            }
        }
        Ok(())
    }
}

/// Compares as rpm does.
fn older_first(a: &PackageRecord, b: &PackageRecord) -> std::cmp::Ordering {
    let evr = |record: &PackageRecord| {
        rpmrepo_metadata::Evr::new(record.epoch.to_string(), record.version.clone(), record.release.clone())
    };
    evr(a).cmp(&evr(b))
}

/// The component versions that stay in `channel`.
fn kept_components(
    catalog: &ComponentCatalog,
    channel: &Name,
    keep: &BTreeSet<(Name, Version)>,
    newest: usize,
) -> BTreeSet<(Name, Version)> {
    let mut open: Vec<(Name, Version)> = Vec::new();
    for (name, versions) in catalog.channels.get(channel).into_iter().flatten() {
        let new = versions.len().saturating_sub(newest);
        for (at, version) in versions.iter().enumerate() {
            let named = keep
                .iter()
                .any(|(kept, requirement)| kept == name && version.satisfies_requested_version(requirement));
            if at >= new || named {
                open.push((name.clone(), version.clone()));
            }
        }
    }
    let mut stays = BTreeSet::new();
    while let Some((name, version)) = open.pop() {
        if !stays.insert((name.clone(), version.clone())) {
            continue;
        }
        let Some(published) = catalog.components.get(&name).and_then(|versions| versions.get(&version))
        else {
            continue;
        };
        for (required, range) in &published.component.requires {
            if let Some(best) = catalog.newest_matching_version_in_channel(channel, required, &[range]) {
                open.push((required.clone(), best.component.version.clone()));
            }
        }
    }
    stays
}

/// The channel's batches without the packages in `gone`.
pub(super) fn batches_after_removing_packages(
    channel: &ChannelGeneration,
    gone: &BTreeSet<String>,
) -> Vec<NextGenerationBatch> {
    let mut parts = Vec::new();
    for batch in &channel.batches {
        let left: Vec<ChannelPackageFileAndDigest> =
            batch.packages.iter().filter(|listed| !gone.contains(&listed.file)).cloned().collect();
        if left.len() == batch.packages.len() {
            parts.push(NextGenerationBatch::Kept(batch.clone()));
        } else if !left.is_empty() {
            parts.push(NextGenerationBatch::New(left));
        }
    }
    parts
}
