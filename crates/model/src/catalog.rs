//! The catalog: which component versions each channel of the repository holds.

use std::{collections::BTreeMap, sync::Arc};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::{
    component::Component,
    name::{Key, Name},
    version::{Version, VersionRange},
};

/// All component versions of a repository, and the channels they are visible in.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ComponentCatalog {
    /// By component name, then version.
    pub components: BTreeMap<Name, BTreeMap<Version, Arc<ComponentVersionWithPackages>>>,
    /// By channel, then component name: the visible versions, oldest first.
    pub channels: BTreeMap<Name, BTreeMap<Name, Vec<Version>>>,
}

/// A component version with both its packages.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ComponentVersionWithPackages {
    /// Its description.
    pub component: Component,
    /// The package that holds what runs.
    pub payload: Arc<PackageFile>,
    /// The package that holds how it is deployed.
    pub deployment: Arc<PackageFile>,
}

/// One package file, exactly.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PackageFile {
    /// Package name.
    pub name: String,
    /// File name: `shop-1.0.0-1.noarch.rpm`.
    pub file: String,
    /// SHA-256 of the whole file, in lower-case hexadecimal.
    pub sha256: String,
    /// Its size in bytes.
    pub size: u64,
}

impl ComponentCatalog {
    /// The versions of `name` visible in `channel`, oldest first.
    pub fn component_versions_in_channel(&self, channel: &Name, name: &Name) -> &[Version] {
        self.channels.get(channel).and_then(|names| names.get(name)).map_or(&[], Vec::as_slice)
    }

    /// Whether a channel of this catalog and of another offers the same versions of a component in the same packages.
    pub fn has_same_packages_of_component(
        &self,
        other: &ComponentCatalog,
        channel: &Name,
        name: &Name,
    ) -> bool {
        // A version can go and come back with other bytes.
        let packages = |catalog: &ComponentCatalog, version| {
            let published = catalog.components.get(name)?.get(version)?;
            Some((Arc::clone(&published.payload), Arc::clone(&published.deployment)))
        };
        let versions = self.component_versions_in_channel(channel, name);
        versions == other.component_versions_in_channel(channel, name)
            && versions.iter().all(|version| packages(self, version) == packages(other, version))
    }

    /// A digest of what a channel offers of some components: the same as long as neither versions nor packages change.
    pub fn digest_channel_packages_of_components<'n>(
        &self,
        channel: &Name,
        components: impl IntoIterator<Item = &'n Name>,
    ) -> String {
        let mut digest = Sha256::new();
        for name in components {
            digest.update(name.as_str());
            for version in self.component_versions_in_channel(channel, name) {
                digest.update(format!("\n{version}"));
                let published = self.components.get(name).and_then(|versions| versions.get(version));
                for package in published.into_iter().flat_map(|found| [&found.payload, &found.deployment]) {
                    digest.update(&package.sha256);
                }
            }
            digest.update("\0");
        }
        let bytes: [u8; 32] = digest.finalize().into();
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// Whether any version of the component declares the parameter a secret; `None` when there is no version.
    ///
    /// Any version: a value that was a secret once is not shown because a later version forgot to say so.
    pub fn find_secrecy_in_any_version(&self, component: &Name, key: &Key) -> Option<bool> {
        let versions = self.components.get(component).filter(|versions| !versions.is_empty())?;
        let mut declared = versions.values().filter_map(|published| published.component.parameters.get(key));
        Some(declared.any(|parameter| parameter.secret))
    }

    /// The newest version of `name` in `channel` that is in every one of `ranges`.
    pub fn newest_matching_version_in_channel<'a>(
        &'a self,
        channel: &Name,
        name: &Name,
        ranges: &[&VersionRange],
    ) -> Option<&'a Arc<ComponentVersionWithPackages>> {
        let version = self
            .component_versions_in_channel(channel, name)
            .iter()
            .rev()
            .find(|version| ranges.iter().all(|range| range.contains_version(version)))?;
        self.components.get(name)?.get(version)
    }
}
