//! What the repository has to offer, from its index alone: no package is opened.

use std::{collections::BTreeMap, sync::Arc};

use model::{
    catalog::{ComponentCatalog, ComponentVersionWithPackages},
    component::Component,
    name::Name,
    version::Version,
    wire::ComponentVersionSummary,
};

use super::{
    Repository, Result,
    channel_generation::ChannelGeneration,
    metadata_batch::MetadataBatch,
    package_record::{PackageRecord, RecordedComponentPackageKind},
};

/// The packages of a batch that are halves of components. Batches never change, so this neither does.
#[derive(Debug, Default)]
pub(super) struct ComponentPackagesInBatch {
    payloads: Vec<(Version, Arc<PackageRecord>)>,
    deployments: Vec<Arc<PackageRecord>>,
}

impl ComponentPackagesInBatch {
    pub(super) fn add_component_package_record(&mut self, record: Arc<PackageRecord>) {
        match &record.what {
            RecordedComponentPackageKind::Payload(_) => {
                if let Some((_, version)) = record.component_and_version() {
                    self.payloads.push((version, record));
                }
            }
            RecordedComponentPackageKind::Deployment(_) => self.deployments.push(record),
            RecordedComponentPackageKind::Other => (),
        }
    }

    /// All of them.
    pub(super) fn iter_component_packages_of_batch(&self) -> impl Iterator<Item = &Arc<PackageRecord>> {
        self.payloads.iter().map(|(_, record)| record).chain(&self.deployments)
    }
}

impl Repository {
    /// All component versions that are visible in some channel. Costs nothing while [`Repository::sum_of_channel_generations`]
    /// stays the same; after a change, only what is new is looked at closely.
    pub fn read_catalog(&self) -> Result<Arc<ComponentCatalog>> {
        let serial = self.sum_of_channel_generations()?;
        let before = self.known().catalog.clone();
        if let Some((known, catalog)) = &before
            && *known == serial
        {
            return Ok(Arc::clone(catalog));
        }
        let before = before.map(|(_, catalog)| catalog).unwrap_or_default();
        let catalog = Arc::new(self.build_catalog(&before)?);
        self.known().catalog = Some((serial, Arc::clone(&catalog)));
        Ok(catalog)
    }

    fn build_catalog(&self, before: &ComponentCatalog) -> Result<ComponentCatalog> {
        let mut catalog = ComponentCatalog::default();
        for name in self.list_channels()? {
            let halves =
                self.component_packages_of_channel(&*self.load_current_or_empty_generation(&name)?)?;
            add_versions_of_channel_to_catalog(&mut catalog, before, name, &halves, |_, _| true);
        }
        Ok(catalog)
    }

    /// What the batches of `channel` have, each looked through once.
    pub(super) fn component_packages_of_channel(
        &self,
        channel: &ChannelGeneration,
    ) -> Result<Vec<Arc<ComponentPackagesInBatch>>> {
        let known = self.known().halves.remove(&channel.name).unwrap_or_default();
        let mut all = BTreeMap::new();
        for batch in &channel.batches {
            let halves = match known.get(&batch.id) {
                Some(halves) => Arc::clone(halves),
                None => Arc::new(self.halves_of(batch)?),
            };
            all.insert(batch.id, halves);
        }
        let halves = channel.batches.iter().filter_map(|batch| all.get(&batch.id).cloned()).collect();
        self.known().halves.insert(channel.name.clone(), all);
        Ok(halves)
    }

    fn halves_of(&self, batch: &MetadataBatch) -> Result<ComponentPackagesInBatch> {
        let mut halves = ComponentPackagesInBatch::default();
        for listed in &batch.packages {
            halves.add_component_package_record(self.cached_or_read_package_record(listed)?);
        }
        Ok(halves)
    }

    /// The versions of the component `name`, newest first, and where each is visible.
    pub fn list_component_versions(&self, name: &Name) -> Result<Vec<ComponentVersionSummary>> {
        let catalog = self.read_catalog()?;
        let Some(versions) = catalog.components.get(name) else { return Ok(Vec::new()) };
        let version =
            |(version, published): (&Version, &Arc<ComponentVersionWithPackages>)| ComponentVersionSummary {
                name: name.to_string(),
                version: version.to_string(),
                kind: published.component.kind,
                summary: published.component.summary.clone(),
                channels: catalog
                    .channels
                    .iter()
                    .filter(|(_, names)| names.get(name).is_some_and(|versions| versions.contains(version)))
                    .map(|(channel, _)| channel.to_string())
                    .collect(),
            };
        Ok(versions.iter().rev().map(version).collect())
    }
}

/// Adds to `catalog` the component versions that `halves` make in the channel `name`, of those packages that
/// `counts` accepts: it is given the component a package belongs to, and the package.
pub(super) fn add_versions_of_channel_to_catalog(
    catalog: &mut ComponentCatalog,
    before: &ComponentCatalog,
    name: Name,
    halves: &[Arc<ComponentPackagesInBatch>],
    counts: impl Fn(&Name, &PackageRecord) -> bool,
) {
    let mut payloads: BTreeMap<(&Name, &Version), &PackageRecord> = BTreeMap::new();
    for (version, record) in halves.iter().flat_map(|halves| &halves.payloads) {
        if let RecordedComponentPackageKind::Payload(component) = &record.what
            && counts(component, record)
        {
            payloads.insert((component, version), record);
        }
    }
    let visible = catalog.channels.entry(name).or_default();
    for deployment in halves.iter().flat_map(|halves| &halves.deployments) {
        let RecordedComponentPackageKind::Deployment(component) = &deployment.what else { continue };
        if !counts(&component.name, deployment) {
            continue;
        }
        let Some(payload) = payloads.remove(&(&component.name, &component.version)) else { continue };
        visible.entry(component.name.clone()).or_default().push(component.version.clone());
        catalog
            .components
            .entry(component.name.clone())
            .or_default()
            .entry(component.version.clone())
            .or_insert_with(|| published(before, component, payload, deployment));
    }
    for versions in visible.values_mut() {
        versions.sort();
    }
}

/// The component version that two packages make, as it was in the catalog before if it was there.
fn published(
    before: &ComponentCatalog,
    component: &Component,
    payload: &PackageRecord,
    deployment: &PackageRecord,
) -> Arc<ComponentVersionWithPackages> {
    let known = before.components.get(&component.name).and_then(|versions| versions.get(&component.version));
    match known {
        Some(known)
            if known.payload.sha256 == payload.sha256 && known.deployment.sha256 == deployment.sha256 =>
        {
            Arc::clone(known)
        }
        _ => Arc::new(ComponentVersionWithPackages {
            component: component.clone(),
            payload: Arc::new(payload.to_package_file()),
            deployment: Arc::new(deployment.to_package_file()),
        }),
    }
}
