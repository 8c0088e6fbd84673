//! Payloads: what packages bring, compared with what is on the host before anything is installed. `rpm` knows only
//! its own packages: it would replace a file of a Debian package, or one that somebody made by hand, and delete it
//! when the package leaves.

mod conflicts;
mod dpkg_files;
mod folder_lookup;
pub(crate) mod installed_files;
pub(crate) mod observed_paths;
mod package_files;
pub(crate) mod verify;

use std::collections::{BTreeMap, BTreeSet};

use model::{
    component::Component,
    name::Name,
    plan::{BlockScope, BlockedItem, BlockedSubject, Plan, PlannedAction},
    resource::ResourceId,
    version::Version,
};
use serde::{Deserialize, Serialize};

pub use installed_files::{PayloadDriftRequest, VerifiedPayloads};
pub use observed_paths::{
    EntryAtPath, EntryKind, ObservedPackagePath, ObservedPackagePaths, PackagePathsRequest, PackagedPathOwner,
};
pub use verify::PayloadVerification;

pub(crate) use conflicts::PathToKeep;
pub(crate) use dpkg_files::debian_packages_of_paths;
pub(crate) use folder_lookup::FolderLookup;
pub(crate) use installed_files::{FileLook, InstalledFile, VerifiedPackage, compared, flag};

use self::{
    conflicts::{IncomingPackage, PathDecisionContext, decide_about_package_paths},
    package_files::{PackageFileEntry, PackageFileKind, read_package_files},
};
use crate::{
    CannotApplyNodeError, FetchedPackagesByChange, Host, HostError, PunchStateFolder,
    inspect::DesiredAndObservedHost,
};

/// How many conflicts of one package a plan shows.
const MOST_CONFLICTS: usize = 10;

/// What one change installs, and what must be kept before.
#[derive(Debug, Default)]
pub(crate) struct InstallationsOfChange {
    /// What each package brings.
    pub(crate) packages: BTreeMap<String, PackageVersionAndPaths>,
    /// What is kept before.
    pub(crate) keep: Vec<PathToKeep>,
}

/// What the installation of a package brings.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PackageVersionAndPaths {
    /// Its version, release included.
    pub(crate) version: Version,
    /// Its paths, with the SHA-256 of files.
    pub(crate) paths: BTreeMap<String, Option<String>>,
    /// Its scripts that failed, and how they ended, once all else was done.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) failed_scriptlets: Vec<String>,
}

/// Compares what the `fetched` packages of `plan` bring with what is on the host. A conflict blocks the plan, with
/// the owner of the path named.
pub fn block_plan_on_path_conflicts(
    look: &DesiredAndObservedHost,
    plan: &mut Plan,
    fetched: &mut FetchedPackagesByChange,
    host: &dyn Host,
    state: &PunchStateFolder,
) -> Result<(), CannotApplyNodeError> {
    let contents = read_contents(look, plan, fetched)?;
    if contents.is_empty() {
        return Ok(());
    }
    let begun: BTreeMap<String, BTreeMap<String, Option<String>>> = state
        .load_begun_installations()
        .map_err(|error| error.to_string())?
        .into_iter()
        .map(|(name, installation)| (name, installation.paths))
        .collect();
    let removed = removed_before(plan);
    let mut packages: BTreeSet<String> = contents.iter().map(|content| content.name.clone()).collect();
    packages.extend(removed.packages.iter().cloned());
    let paths: BTreeSet<String> =
        contents.iter().flat_map(|content| &content.files).map(|file| file.path.clone()).collect();
    let digested: BTreeSet<String> = begun.values().flat_map(|paths| paths.keys().cloned()).collect();
    let request = PackagePathsRequest { packages: &packages, paths: &paths, digested: &digested };
    let observed = match host.observe_package_paths(&request) {
        // Without rpm nothing is replaced: the first installation fails, and says how to get rpm.
        Err(HostError::Missing { .. }) => return Ok(()),
        observed => observed.map_err(|error| error.to_string())?,
    };
    let incoming: Vec<IncomingPackage<'_>> = contents.iter().map(PackageContent::incoming).collect();
    let decisions = decide_about_package_paths(
        &incoming,
        &PathDecisionContext {
            paths: &observed,
            managed: &look.observed.managed,
            cleared: &removed.paths,
            leaving: &removed.packages,
            begun: &begun,
        },
    );
    block_plan(plan, decisions.conflicts);
    for kept in decisions.kept.iter().filter(|kept| !kept.shared_folder) {
        let owner = kept.owner.as_ref().map(|owner| format!(" of {owner}")).unwrap_or_default();
        plan.notes.push(format!(
            "{}{owner} is saved before it is replaced, and put back when {} is removed",
            kept.path, kept.package
        ));
    }
    fetched.installations.resize_with(plan.changes.len(), InstallationsOfChange::default);
    for content in &contents {
        let Some(change) = fetched.installations.get_mut(content.change) else { continue };
        change.keep.extend(decisions.kept.iter().filter(|kept| kept.package == content.name).cloned());
        change.packages.insert(content.name.clone(), content.installation());
    }
    Ok(())
}

/// A package that a plan installs, and what is in it.
struct PackageContent<'a> {
    name: String,
    component: &'a Component,
    version: &'a Version,
    files: Vec<PackageFileEntry>,
    /// Which change installs it.
    change: usize,
}

impl PackageContent<'_> {
    fn incoming(&self) -> IncomingPackage<'_> {
        IncomingPackage {
            name: &self.name,
            component: self.component,
            version: self.version,
            files: &self.files,
        }
    }

    fn installation(&self) -> PackageVersionAndPaths {
        let paths = self.files.iter().map(|file| {
            let sha256 = match &file.kind {
                PackageFileKind::File(sha256) => sha256.clone(),
                _ => None,
            };
            (file.path.clone(), sha256)
        });
        PackageVersionAndPaths {
            version: self.version.clone(),
            paths: paths.collect(),
            failed_scriptlets: Vec::new(),
        }
    }
}

fn read_contents<'a>(
    look: &'a DesiredAndObservedHost,
    plan: &Plan,
    fetched: &FetchedPackagesByChange,
) -> Result<Vec<PackageContent<'a>>, CannotApplyNodeError> {
    let mut contents = Vec::new();
    for (at, (change, files)) in plan.changes.iter().zip(&fetched.files).enumerate() {
        let PlannedAction::InstallPackages(packages) = &change.action else { continue };
        for ((name, package), file) in packages.iter().zip(files) {
            let Some(component) = look.components.get(&package.component) else { continue };
            contents.push(PackageContent {
                name: name.clone(),
                component,
                version: &component.version,
                files: read_package_files(file)?,
                change: at,
            });
        }
    }
    Ok(contents)
}

/// What a plan takes away before it installs payloads.
#[derive(Default)]
struct RemovedBefore {
    paths: BTreeSet<String>,
    packages: BTreeSet<String>,
}

fn removed_before(plan: &Plan) -> RemovedBefore {
    let mut removed = RemovedBefore::default();
    for change in &plan.changes {
        match &change.action {
            PlannedAction::Remove { id, .. } => removed.paths.extend(ResourceId::occupied_path(id)),
            PlannedAction::RemovePackages { names, .. } => removed.packages.extend(names.iter().cloned()),
            _ => (),
        }
    }
    removed
}

fn block_plan(plan: &mut Plan, conflicts: Vec<(String, Name, String)>) {
    let mut count: BTreeMap<String, usize> = BTreeMap::new();
    let mut block = |package: &str, component: &Name, because: String| {
        plan.blocked.push(BlockedItem {
            what: BlockedSubject::Package(package.to_owned()),
            components: [component.clone()].into(),
            because,
            scope: BlockScope::Run,
        });
    };
    let mut more: BTreeMap<String, Name> = BTreeMap::new();
    for (package, component, because) in conflicts {
        let count = count.entry(package.clone()).or_default();
        *count += 1;
        if *count <= MOST_CONFLICTS {
            block(&package, &component, because);
        } else {
            more.insert(package, component);
        }
    }
    for (package, component) in more {
        let left = count.get(&package).map_or(0, |count| count - MOST_CONFLICTS);
        block(&package, &component, format!("{left} more of its paths are in conflict with what is there"));
    }
}
