//! Withdrawal: a component version is taken out of one channel.

use std::{collections::BTreeSet, sync::Arc};

use model::{
    catalog::{ComponentCatalog, ComponentVersionWithPackages},
    name::Name,
    version::Version,
};

use super::{
    Repository, RepositoryError, Result, catalog_after::ChannelPackageChanges,
    channel_generation::ChannelGeneration, durable_writes::UnflushedWrites, package_record::PackageRecord,
    promote::find_newest_release_in_channel, retain_versions::batches_after_removing_packages,
};

/// What a withdrawal took out of the channel.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct WithdrawnPackageFiles {
    /// The files that are no longer visible in the channel, sorted.
    pub files: Vec<String>,
}

/// What a withdrawal will do, checked and not yet done.
pub(super) struct PlannedWithdrawal {
    channel: Arc<ChannelGeneration>,
    /// The packages that will no longer be visible.
    pub(super) removed: Vec<Arc<PackageRecord>>,
}

impl Repository {
    /// Takes the newest `version` of `name` in `channel` (a version without release names all its releases) out
    /// of that channel: both its packages. They stay in the pool and in other channels, until a retention
    /// finds that no channel shows them. Readers of the metadata before find them for another hour. `now` is in
    /// seconds since 1970.
    ///
    /// Refuses if the channel does not have the version, or if another component version there requires it and
    /// no other version there fits.
    ///
    /// `allow` is given the catalog as it would be, and may refuse.
    pub fn withdraw_version<E: From<RepositoryError>>(
        &self,
        name: &Name,
        version: &Version,
        channel: &Name,
        allow: impl FnOnce(&ComponentCatalog) -> std::result::Result<(), E>,
        now: u32,
    ) -> std::result::Result<WithdrawnPackageFiles, E> {
        // What is read now need not be read while others wait: under the lock only what is newer is.
        self.read_catalog()?;
        let _lock = self.lock()?;
        let PlannedWithdrawal { channel, removed } = self.plan_withdrawal(name, version, channel)?;
        let files: BTreeSet<String> = removed.iter().map(|record| record.file.clone()).collect();
        let change = ChannelPackageChanges { channel: &channel.name, added: Vec::new(), removed };
        allow(&*self.catalog_after_channel_change(&change)?)?;
        self.commit_next_generation(
            &channel,
            batches_after_removing_packages(&channel, &files),
            UnflushedWrites::default(),
            now,
        )?;
        Ok(WithdrawnPackageFiles { files: files.into_iter().collect() })
    }

    /// What withdrawing `version` of `name` means. Changes nothing, and refuses what cannot be withdrawn.
    pub(super) fn plan_withdrawal(
        &self,
        name: &Name,
        version: &Version,
        channel: &Name,
    ) -> Result<PlannedWithdrawal> {
        let channel = self.load_current_generation_of_published_channel(channel)?;
        let catalog = self.read_catalog()?;
        let withdrawn = find_newest_release_in_channel(&catalog, &channel.name, name, version)?;
        refuse_if_required(&catalog, &channel.name, withdrawn)?;
        let withdrawn = &withdrawn.component;
        let mut removed = Vec::new();
        for batch in self.component_packages_of_channel(&channel)? {
            let of_version = batch.iter_component_packages_of_batch().filter(|record| {
                record
                    .component_and_version()
                    .is_some_and(|(name, version)| *name == withdrawn.name && version == withdrawn.version)
            });
            removed.extend(of_version.cloned());
        }
        Ok(PlannedWithdrawal { channel, removed })
    }
}

/// Refuses to withdraw a version that others in `channel` require, and for which they find no other there.
fn refuse_if_required(
    catalog: &ComponentCatalog,
    channel: &Name,
    withdrawn: &ComponentVersionWithPackages,
) -> Result<()> {
    let withdrawn = &withdrawn.component;
    let others: Vec<&Version> = catalog
        .component_versions_in_channel(channel, &withdrawn.name)
        .iter()
        .filter(|version| **version != withdrawn.version)
        .collect();
    let (mut requirements, mut requirers) = (Vec::new(), Vec::new());
    for (name, versions) in catalog.channels.get(channel).into_iter().flatten() {
        let published = versions.iter().filter_map(|version| catalog.components.get(name)?.get(version));
        for requirer in published.map(|published| &published.component) {
            let Some(range) = requirer.requires.get(&withdrawn.name) else { continue };
            let is_itself = requirer.name == withdrawn.name && requirer.version == withdrawn.version;
            if is_itself
                || !range.contains_version(&withdrawn.version)
                || others.iter().any(|version| range.contains_version(version))
            {
                continue;
            }
            let requirer = format!("`{} {}`", requirer.name, requirer.version);
            requirements.push(format!("{requirer} requires `{} {range}`", withdrawn.name));
            requirers.push(requirer);
        }
    }
    if requirers.is_empty() {
        return Ok(());
    }
    Err(RepositoryError::StillRequired {
        withdrawn: format!("{} {}", withdrawn.name, withdrawn.version),
        channel: channel.clone(),
        requirements: requirements.join(", "),
        requirers: requirers.join(" and "),
    })
}
