//! Previews: the catalog as a publication, a promotion or a withdrawal would leave it. Nothing is written, and
//! no lock is taken: what another process does at the same time may or may not be in the answer.
//!
//! A preview is the known catalog with the components of the packages that come or go looked at again. It reads
//! the records of packages that come, and of what is visible only those that nobody looked at before.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use model::{catalog::ComponentCatalog, name::Name, version::Version};

use super::{
    Repository, Result,
    catalog::{ComponentPackagesInBatch, add_versions_of_channel_to_catalog},
    package_record::PackageRecord,
};

/// The component versions that a promotion makes visible besides the promoted one, by name.
pub type VersionsPromotedAlong = Vec<(Name, Version)>;

/// The packages that come and go in one channel.
pub(super) struct ChannelPackageChanges<'a> {
    pub(super) channel: &'a Name,
    /// In the order in which they will be listed.
    pub(super) added: Vec<Arc<PackageRecord>>,
    pub(super) removed: Vec<Arc<PackageRecord>>,
}

impl Repository {
    /// The catalog as it would be when the received packages `files` were published in `channel`. Fails as
    /// [`Repository::publish_received_packages_in_channel`] would.
    pub fn catalog_after_publication(
        &self,
        channel: &Name,
        files: &[String],
    ) -> Result<Arc<ComponentCatalog>> {
        let generation = self.load_current_generation_of_published_channel(channel)?;
        let added = self.plan_publication(&generation, files)?.added.into_values().collect();
        self.catalog_after_channel_change(&ChannelPackageChanges { channel, added, removed: Vec::new() })
    }

    /// The catalog as it would be when `version` of `name` was promoted from `from` to `to`, and the component
    /// versions that would become visible in `to` besides it. Fails as [`Repository::promote_version_with_required_components`] would.
    pub fn catalog_after_promotion(
        &self,
        name: &Name,
        version: &Version,
        from: &Name,
        to: &Name,
    ) -> Result<(Arc<ComponentCatalog>, VersionsPromotedAlong)> {
        let before = self.read_catalog()?;
        let planned = self.plan_promotion(name, version, from, to)?;
        let after = self.catalog_after_publication(to, &planned.files)?;
        let mut taken_along: VersionsPromotedAlong = planned
            .chosen
            .iter()
            .map(|chosen| &chosen.component)
            .filter(|component| component.name != planned.root.component.name)
            .filter(|component| {
                !before.component_versions_in_channel(to, &component.name).contains(&component.version)
            })
            .map(|component| (component.name.clone(), component.version.clone()))
            .collect();
        taken_along.sort();
        Ok((after, taken_along))
    }

    /// The catalog as it would be when `version` of `name` was withdrawn from `channel`. Fails as
    /// [`Repository::withdraw_version`] would.
    pub fn catalog_after_withdrawal(
        &self,
        name: &Name,
        version: &Version,
        channel: &Name,
    ) -> Result<Arc<ComponentCatalog>> {
        let removed = self.plan_withdrawal(name, version, channel)?.removed;
        self.catalog_after_channel_change(&ChannelPackageChanges { channel, added: Vec::new(), removed })
    }

    /// The catalog as it would be after `change`.
    pub(super) fn catalog_after_channel_change(
        &self,
        change: &ChannelPackageChanges<'_>,
    ) -> Result<Arc<ComponentCatalog>> {
        let before = self.read_catalog()?;
        let changed = change.added.iter().chain(&change.removed);
        let components: BTreeSet<Name> =
            changed.filter_map(|record| Some(record.component_and_version()?.0.clone())).collect();
        if components.is_empty() {
            return Ok(before);
        }
        let removed: BTreeSet<&str> = change.removed.iter().map(|record| record.file.as_str()).collect();
        let mut looked_at = ComponentCatalog::default();
        for channel in self.list_channels()? {
            let mut halves =
                self.component_packages_of_channel(&*self.load_current_or_empty_generation(&channel)?)?;
            let is_changed = channel == *change.channel;
            if is_changed {
                let mut added = ComponentPackagesInBatch::default();
                change.added.iter().for_each(|record| added.add_component_package_record(Arc::clone(record)));
                halves.push(Arc::new(added));
            }
            add_versions_of_channel_to_catalog(
                &mut looked_at,
                &before,
                channel,
                &halves,
                |component, record| {
                    components.contains(component) && !(is_changed && removed.contains(record.file.as_str()))
                },
            );
        }
        Ok(Arc::new(with_components_replaced(&before, &components, looked_at)))
    }
}

/// `catalog` with `components`, and nothing else, as `other` has them.
fn with_components_replaced(
    catalog: &ComponentCatalog,
    components: &BTreeSet<Name>,
    mut other: ComponentCatalog,
) -> ComponentCatalog {
    let mut replaced = catalog.clone();
    for component in components {
        replace(&mut replaced.components, component, other.components.remove(component));
        for (channel, names) in &mut other.channels {
            let visible = replaced.channels.entry(channel.clone()).or_default();
            replace(visible, component, names.remove(component));
        }
    }
    replaced
}

fn replace<V>(map: &mut BTreeMap<Name, V>, name: &Name, value: Option<V>) {
    match value {
        Some(value) => _ = map.insert(name.clone(), value),
        None => _ = map.remove(name),
    }
}
