//! What each of the two packages holds and asks for.

use std::path::Path;

use model::{
    component::INSTALLED_COMPONENTS_FOLDER,
    format::component::{Arch, LaunchSettings},
    version::VersionRange,
};
use rpm::Dependency;

use super::{
    PackagingError,
    collect_files::{CollectedContent, CollectedPath, FileCollector, new_packaged_path_error},
    owned_directories, systemd_unit,
};
use crate::source::ComponentSource;

/// A package, before it is written.
#[derive(Debug)]
pub(super) struct PackageToWrite {
    /// Its name.
    pub(super) name: String,
    /// Where it runs.
    pub(super) arch: Arch,
    /// One line about it.
    pub(super) summary: String,
    /// Some sentences about it.
    pub(super) description: String,
    /// Its paths, sorted.
    pub(super) items: Vec<CollectedPath>,
    /// What it says it is.
    pub(super) provides: Vec<Dependency>,
    /// What must be there with it.
    pub(super) requires: Vec<Dependency>,
}

/// The payload package of a component.
pub(super) fn build_payload_package_contents(
    source: &ComponentSource,
    out: &Path,
) -> Result<PackageToWrite, PackagingError> {
    let component = &source.component;
    let mut requires = Vec::new();
    for (name, range) in &component.requires {
        requires.extend(needs(name.as_str(), range));
    }
    for package in &component.os_packages.rpm {
        // On Debian, rpm knows none of the system's packages: there punch sees to `os_packages.deb`.
        requires.push(Dependency::any(format!("({package} if (system-release or distribution-release))")));
    }
    Ok(PackageToWrite {
        name: component.name.to_string(),
        arch: source.arch,
        summary: component.summary.clone(),
        description: source.description.clone(),
        items: payload_items(source, out)?,
        provides: vec![Dependency::eq(
            format!("geppetto-component({})", component.name),
            component.version.to_string(),
        )],
        requires,
    })
}

/// The deployment package of a component.
pub(super) fn build_deployment_package_contents(
    source: &ComponentSource,
) -> Result<PackageToWrite, PackagingError> {
    let component = &source.component;
    let dir = format!("/{INSTALLED_COMPONENTS_FOLDER}/{}", component.name);
    let mut collected = FileCollector::default();
    let mut description = serde_json::to_vec_pretty(component).map_err(|error| {
        new_packaged_path_error("component.json", format!("it cannot be written: {error}"))
    })?;
    description.push(b'\n');
    collected.insert_item_by_precedence(
        CollectedPath::new_path_owned_by_root(
            format!("{dir}/component.json"),
            CollectedContent::Bytes(description),
            0o644,
        ),
        true,
    )?;
    if let Some(manifest) = &source.deploy.manifest {
        let bytes = CollectedContent::Bytes(manifest.clone().into_bytes());
        collected.insert_item_by_precedence(
            CollectedPath::new_path_owned_by_root(format!("{dir}/manifest.yaml"), bytes, 0o644),
            true,
        )?;
    }
    for (path, bytes) in &source.deploy.templates {
        let path = format!("{dir}/templates/{path}");
        collected.insert_item_by_precedence(
            CollectedPath::new_path_owned_by_root(path, CollectedContent::Bytes(bytes.clone()), 0o644),
            true,
        )?;
    }
    Ok(PackageToWrite {
        name: component.deployment_package_name(),
        arch: Arch::Noarch,
        summary: format!("Deployment of {}", component.name),
        description: format!(
            "How {} is deployed: its manifest, templates and parameters.\nInstalled and read by punch.\n\n{}",
            component.name, source.description
        ),
        items: with_directories(component.name.as_str(), collected)?,
        provides: vec![Dependency::eq(
            format!("geppetto-deployment({})", component.name),
            component.version.to_string(),
        )],
        requires: Vec::new(),
    })
}

/// The paths that the payload package of a component would have; `None` while they cannot be collected.
pub(crate) fn collect_payload_paths(source: &ComponentSource) -> Option<Vec<String>> {
    let items = payload_items(source, &source.dir.join("dist")).ok()?;
    Some(items.into_iter().map(|item| item.path).collect())
}

/// The paths of a component's payload package.
fn payload_items(source: &ComponentSource, out: &Path) -> Result<Vec<CollectedPath>, PackagingError> {
    let name = source.component.name.as_str();
    let mut collected = FileCollector::new_collector_excluding_output_folder(out);
    for entry in &source.files {
        collected.add_files_of_entry(&source.dir, entry)?;
    }
    if let Some(tomcat) = &source.tomcat {
        let entry = model::format::component::PackagedFileEntry {
            source: Some(tomcat.war.clone()),
            path: format!("/usr/share/{name}/{name}.war"),
            directory: false,
            symlink: None,
            mode: None,
            owner: None,
            group: None,
            config: false,
            setuid: false,
        };
        collected.add_files_of_entry(&source.dir, &entry)?;
    }
    let mut units = |file: String, text: String| {
        let path = format!("/usr/lib/systemd/system/{file}");
        collected.insert_item_by_precedence(
            CollectedPath::new_path_owned_by_root(path, CollectedContent::Bytes(text.into_bytes()), 0o644),
            true,
        )
    };
    let header = systemd_unit::SystemdUnitHeader {
        name,
        summary: &source.component.summary,
        url: source.url.as_deref(),
    };
    if let Some(launch) = &source.launch {
        units(format!("{name}.service"), systemd_unit::render_daemon_service_unit(&header, launch))?;
    }
    if let Some(schedule) = &source.schedule {
        let launch: LaunchSettings = schedule.to_launch_settings();
        units(format!("{name}.service"), systemd_unit::render_timed_job_service_unit(&header, &launch))?;
        units(format!("{name}.timer"), systemd_unit::render_timer_unit(&header, schedule))?;
    }
    with_directories(name, collected)
}

fn with_directories(name: &str, collected: FileCollector) -> Result<Vec<CollectedPath>, PackagingError> {
    let mut items = collected.into_checked_sorted_paths()?;
    items.extend(owned_directories::find_parent_directories_to_own(name, &items));
    items.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(items)
}

/// A range of versions of a component as RPM's dependencies, one a bound.
fn needs(name: &str, range: &VersionRange) -> Vec<Dependency> {
    use model::version::VersionComparison::{Above, AtLeast, AtMost, Below, Equal};

    if range.range_bounds().is_empty() {
        return vec![Dependency::any(name)];
    }
    let bounds = range.range_bounds().iter().map(|bound| {
        let version = bound.version.to_string();
        match bound.comparison {
            Equal => Dependency::eq(name, version),
            AtLeast => Dependency::greater_eq(name, version),
            Above => Dependency::greater(name, version),
            AtMost => Dependency::less_eq(name, version),
            Below => Dependency::less(name, version),
        }
    });
    bounds.collect()
}
