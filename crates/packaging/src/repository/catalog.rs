//! What the repository has to offer, from its index alone: no package is opened.

use std::{collections::BTreeMap, sync::Arc};

use model::{
    catalog::{Catalog, PackageFile, Published},
    component::Component,
    name::Name,
    version::Version,
    wire::ComponentVersion,
};

use super::{Repository, Result, record::Kind};

impl Repository {
    /// All component versions that are visible in some channel. Costs nothing while [`Repository::serial`]
    /// stays the same.
    pub fn catalog(&self) -> Result<Arc<Catalog>> {
        let serial = self.serial()?;
        if let Some((known, catalog)) = &self.known().catalog
            && *known == serial
        {
            return Ok(Arc::clone(catalog));
        }
        let catalog = Arc::new(self.read_catalog()?);
        self.known().catalog = Some((serial, Arc::clone(&catalog)));
        Ok(catalog)
    }

    fn read_catalog(&self) -> Result<Catalog> {
        let mut catalog = Catalog::default();
        for name in self.channels()? {
            let channel = self.channel(&name)?;
            let mut payloads: BTreeMap<(Name, Version), PackageFile> = BTreeMap::new();
            let mut deployments: Vec<(Component, PackageFile)> = Vec::new();
            for listed in channel.packages() {
                let record = self.listed(listed)?;
                match &record.what {
                    Kind::Payload(component) => {
                        if let Some((_, version)) = record.half_of() {
                            payloads.insert((component.clone(), version), record.package_file());
                        }
                    }
                    Kind::Deployment(component) => {
                        deployments.push(((**component).clone(), record.package_file()));
                    }
                    Kind::Other => (),
                }
            }
            let visible = catalog.channels.entry(name).or_default();
            for (component, deployment) in deployments {
                let key = (component.name.clone(), component.version.clone());
                let Some(payload) = payloads.remove(&key) else { continue };
                visible.entry(key.0.clone()).or_default().push(key.1.clone());
                let versions = catalog.components.entry(key.0).or_default();
                versions
                    .entry(key.1)
                    .or_insert_with(|| Arc::new(Published { component, payload, deployment }));
            }
            for versions in visible.values_mut() {
                versions.sort();
            }
        }
        Ok(catalog)
    }

    /// The versions of the component `name`, newest first, and where each is visible.
    pub fn versions(&self, name: &Name) -> Result<Vec<ComponentVersion>> {
        let catalog = self.catalog()?;
        let Some(versions) = catalog.components.get(name) else { return Ok(Vec::new()) };
        let version = |(version, published): (&Version, &Arc<Published>)| ComponentVersion {
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
