//! Promotion: a component version, and what it needs, moves on to the next channel.

use std::{collections::BTreeSet, sync::Arc};

use model::{
    catalog::{ComponentCatalog, ComponentVersionWithPackages},
    name::Name,
    resolve::{VersionChoiceFailure, choose_versions_of_root_and_requirements},
    version::{Version, VersionRange},
    wire::FilesAddedToChannel,
};

use super::{Repository, RepositoryError, Result};

/// What a promotion will make visible, checked and not yet done.
pub(super) struct PlannedPromotion {
    /// The version that is promoted.
    pub(super) root: Arc<ComponentVersionWithPackages>,
    /// It, and all that it requires; some may be visible already.
    pub(super) chosen: Vec<Arc<ComponentVersionWithPackages>>,
    /// Their packages.
    pub(super) files: Vec<String>,
}

impl Repository {
    /// Makes the newest `version` of `name` in channel `from` (a version without release names all its
    /// releases) visible in channel `to` too: both its packages, and those of the components it requires,
    /// where `to` has none that fit. Refuses, naming what is missing, if `from` does not have them.
    ///
    /// `allow` is given the components that would be made visible, and may refuse.
    pub fn promote_version_with_required_components<E: From<RepositoryError>>(
        &self,
        name: &Name,
        version: &Version,
        from: &Name,
        to: &Name,
        allow: impl FnOnce(&BTreeSet<Name>) -> std::result::Result<(), E>,
        now: u32,
    ) -> std::result::Result<FilesAddedToChannel, E> {
        // What is read now need not be read while others wait: under the lock only what is newer is.
        self.read_catalog()?;
        let _lock = self.lock()?;
        let planned = self.plan_promotion(name, version, from, to)?;
        allow(&planned.chosen.iter().map(|chosen| chosen.component.name.clone()).collect())?;
        Ok(self.publish_received_packages_with_lock_held(to, &planned.files, now)?)
    }

    /// What promoting `version` of `name` means. Changes nothing, and refuses what cannot be promoted.
    pub(super) fn plan_promotion(
        &self,
        name: &Name,
        version: &Version,
        from: &Name,
        to: &Name,
    ) -> Result<PlannedPromotion> {
        self.load_current_generation_of_published_channel(from)?;
        self.load_current_generation_of_published_channel(to)?;
        self.check_promotion_goes_forward(from, to)?;
        let catalog = self.read_catalog()?;
        let root = find_newest_release_in_channel(&catalog, from, name, version)?;
        let chosen: Vec<Arc<ComponentVersionWithPackages>> =
            closure(&catalog, root, from, to)?.into_iter().map(Arc::clone).collect();
        let files: BTreeSet<String> = chosen
            .iter()
            .flat_map(|published| [published.payload.file.clone(), published.deployment.file.clone()])
            .collect();
        Ok(PlannedPromotion { root: Arc::clone(root), chosen, files: files.into_iter().collect() })
    }
}

/// The newest `version` of `name` in `channel`: a version without release names all its releases.
pub(super) fn find_newest_release_in_channel<'a>(
    catalog: &'a ComponentCatalog,
    channel: &Name,
    name: &Name,
    version: &Version,
) -> Result<&'a Arc<ComponentVersionWithPackages>> {
    catalog
        .component_versions_in_channel(channel, name)
        .iter()
        .rev()
        .find(|there| there.satisfies_requested_version(version))
        .and_then(|there| catalog.components.get(name)?.get(there))
        .ok_or_else(|| no_version(catalog, channel, name, version))
}

fn no_version(catalog: &ComponentCatalog, channel: &Name, name: &Name, version: &Version) -> RepositoryError {
    let versions: Vec<String> =
        catalog.component_versions_in_channel(channel, name).iter().map(Version::to_string).collect();
    let known = match (versions.as_slice(), catalog.components.contains_key(name)) {
        ([], true) => "it has none of its versions; other channels do".to_owned(),
        ([], false) => {
            let names = catalog.components.keys().map(Name::as_str);
            match model::suggest_spelling(name.as_str(), names) {
                Some(near) => format!("no channel has that component; did you mean `{near}`?"),
                None => "no channel has that component".to_owned(),
            }
        }
        (versions, _) => format!("it has {}", versions.join(", ")),
    };
    RepositoryError::NoVersion {
        channel: channel.clone(),
        name: name.clone(),
        version: version.to_string(),
        known,
    }
}

/// `root` and everything it requires, directly or not, each in one version that suits all who require it: of `to`
/// where that has one that fits, else of `from`.
fn closure<'a>(
    catalog: &'a ComponentCatalog,
    root: &'a Arc<ComponentVersionWithPackages>,
    from: &'a Name,
    to: &'a Name,
) -> Result<Vec<&'a Arc<ComponentVersionWithPackages>>> {
    choose_versions_of_root_and_requirements(catalog, root, &[to, from]).map_err(|conflict| {
        let mut missing = unmet_requirements(catalog, root, from, to);
        if missing.is_empty() {
            // Each requirement alone can be met, and not all of them together.
            missing.extend(match conflict {
                VersionChoiceFailure::NoVersion { component, required_by } => required_by
                    .iter()
                    .map(|(requirer, range)| lack(catalog, requirer.as_str(), &component, range, from, to))
                    .collect(),
                VersionChoiceFailure::TooManyChoices => {
                    vec!["its requirements allow too many choices of versions to try them all".to_owned()]
                }
            });
        }
        RepositoryError::Incomplete {
            root: format!("{} {}", root.component.name, root.component.version),
            from: from.clone(),
            to: to.clone(),
            missing: missing.into_iter().collect::<Vec<_>>().join("; "),
        }
    })
}

/// The requirements, direct or not, that no version of either channel meets.
fn unmet_requirements(
    catalog: &ComponentCatalog,
    root: &Arc<ComponentVersionWithPackages>,
    from: &Name,
    to: &Name,
) -> BTreeSet<String> {
    let mut unmet = BTreeSet::new();
    let mut reached = BTreeSet::from([&root.component.name]);
    let mut open = vec![root];
    while let Some(requirer) = open.pop() {
        let component = &requirer.component;
        for (required, range) in &component.requires {
            let newest = |channel| catalog.newest_matching_version_in_channel(channel, required, &[range]);
            match newest(to).or_else(|| newest(from)) {
                Some(best) if reached.insert(required) => open.push(best),
                Some(_) => {}
                None => {
                    let requirer = format!("{} {}", component.name, component.version);
                    _ = unmet.insert(lack(catalog, &requirer, required, range, from, to));
                }
            }
        }
    }
    unmet
}

fn lack(
    catalog: &ComponentCatalog,
    requirer: &str,
    required: &Name,
    range: &VersionRange,
    from: &Name,
    to: &Name,
) -> String {
    let has = |channel: &Name| {
        let versions: Vec<String> =
            catalog.component_versions_in_channel(channel, required).iter().map(Version::to_string).collect();
        if versions.is_empty() {
            format!("`{channel}` has none")
        } else {
            format!("`{channel}` has {}", versions.join(", "))
        }
    };
    format!("`{requirer}` requires `{required} {range}`, but {} and {}", has(from), has(to))
}
